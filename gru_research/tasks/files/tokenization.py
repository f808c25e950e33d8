"""Splits a text into words or characters."""

import re
from typing import Literal

Unit = Literal["characters", "words"]
_WORD = re.compile(r"<\w+>|\w+(?:['\u2019]\w+)*|[^\w\s]")


def tokenize(text: str, unit: str) -> list[str]:
    """Returns the characters of a text, or its words. Punctuation is separate; marks such as "<end>" are one word."""
    return list(text) if unit == "characters" else _WORD.findall(text)
