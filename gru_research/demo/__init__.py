"""Writes trained cells as one self-contained page that runs them in the reader's browser.

The page loads nothing: its scripts, `network.js` and one for the form of answers, and the weights lie in it.
"""

from .page import FORMS, LIMIT, write

__all__ = ["FORMS", "LIMIT", "write"]
