"""Music in four voices, note by note: what is read, predicted, generated and measured."""

from .task import chorales

__all__ = ["chorales"]
