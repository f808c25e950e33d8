"""What a page shows beside its models."""

import dataclasses
from collections.abc import Callable, Mapping
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
      shortened: `(content, trained, most) -> (content, trained)`, which leaves out what a page of `most` bytes has no
        room for; None where nothing can be left out.
    """

    form: str
    title: str
    about: str
    body: str
    data: Mapping[str, Any]
    shortened: Callable[..., Any] | None = None
