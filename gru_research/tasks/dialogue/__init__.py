"""Dialogues: the bot's next words, from all that was said and found before."""

from .task import dialogue

__all__ = ["dialogue"]
