"""The task of translating sentences."""

from .task import translation

__all__ = ["translation"]
