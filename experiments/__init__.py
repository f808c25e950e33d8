"""Launchers: absl mains that wire flags to the package. They run from a checkout and aren't in the wheel."""
