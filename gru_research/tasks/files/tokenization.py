"""What a text is cut into: words or characters."""

import re
from typing import Literal

Unit = Literal["characters", "words"]
_WORD = re.compile(r"<\w+>|\w+(?:['\u2019]\w+)*|[^\w\s]")


def tokenize(text: str, unit: str) -> list[str]:
    """The characters of a text; or its words, with marks such as "<end>" whole and punctuation apart."""
    return list(text) if unit == "characters" else _WORD.findall(text)
