"""Stands where TensorFlow would be found, and ends whoever imports it; without it such a test couldn't fail."""

raise SystemExit("tensorflow was imported")
