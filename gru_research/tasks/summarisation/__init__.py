"""Summaries of documents, whose words are generated or copied."""

from .task import summarisation

__all__ = ["summarisation"]
