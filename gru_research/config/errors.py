"""Errors that a launcher prints as one line."""


class UserError(ValueError):
    """A user's mistake; the message is one line. Launchers print it and exit with 2."""


class FileError(UserError):
    """A fault of a user's own file; the message names the file, and the line where there is one."""
