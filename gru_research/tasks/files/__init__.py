"""Tasks of a user's own files; `files` is the function that a config names."""

from .task import files

__all__ = ["files"]
