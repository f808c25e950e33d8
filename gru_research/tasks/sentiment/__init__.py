"""Classifying texts. A config names the function `sentiment`."""

from .task import sentiment

__all__ = ["sentiment"]
