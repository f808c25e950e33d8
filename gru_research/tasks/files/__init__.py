"""Tasks of a user's own files. A config names the function `files`."""

from .task import files

__all__ = ["files"]
