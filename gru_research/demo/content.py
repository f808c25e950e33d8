"""What a page shows beside its models."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Trained:
    """A cell with the parameters of one seed; `model` is its description."""

    label: str
    seed: int
    model: Mapping[str, Any]
    params: Any


@dataclasses.dataclass(frozen=True)
class Content:
    """A page without its models.

    Attributes:
      form: the form of answers, and the name of the script.
      title: the heading.
      about: what the page holds, as the end of a sentence.
      body: HTML with the elements that the script fills.
      data: plain JSON for the script.
      words: the number of words of which some can be left out; 0: nothing can.
      shorten: `(trained, count) -> (content, trained)`, which leaves `count` words.
    """

    form: str
    title: str
    about: str
    body: str
    data: Mapping[str, Any]
    words: int = 0
    shorten: Callable[[Sequence[Trained], int], tuple["Content", list[Trained]]] | None = None
