"""Transcribes speech: strings of digits, AN4, or sound of your own."""

from .task import speech

__all__ = ["speech"]
