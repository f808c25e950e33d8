"""Errors that a launcher prints as one line."""


class UserError(ValueError):
    """A user's mistake, with a message of one line. Launchers print it and exit with status 2."""


class FileError(UserError):
    """A fault in a user's own file. The message names the file and, where there is one, the line."""
