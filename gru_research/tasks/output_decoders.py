"""Converts one example's output to a plain JSON value that a person reads.

A task without `decode` gets the decoder that fits its spec (`default_decoder`). A decoder's `mean` turns the outputs
of several seeds, `[S, ...]`, into one ensemble output.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from gru_research.spec import Spec

MOST_CLASSES = 10
"""An answer lists the probabilities of at most this many classes."""


@runtime_checkable
class Averaged(Protocol):
    """A decoder that defines the mean of several outputs."""

    def mean(self, outputs: Any) -> Any:
        """Returns one output from the outputs of several seeds, `[S, ...]`."""
        ...


@dataclasses.dataclass(frozen=True)
class Classes:
    """The most probable class and its probability from logits `[C]`, or a list of both over steps from `[T, C]`.

    Attributes:
      names: the names of the classes in the order of their numbers; if empty, a class is its number.
      size: C, if outputs `[K C]` hold the logits of K answers; 0: outputs keep their shape.
      last: the number of final steps with an answer; 0: all steps.
    """

    names: tuple[Any, ...] = ()
    size: int = 0
    last: int = 0

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns `class`, `probability` and the `probabilities` of the ten most probable classes by name, in
        descending order. For several steps, returns `classes` and their `probabilities`."""
        logits = self._logits(output)
        shares = softmax(logits)
        if logits.ndim == 2:
            probabilities = plain(shares.max(-1))
            best = zip(shares.argmax(-1), probabilities, strict=True)
            return {
                "classes": [None if share is None else self._name(number) for number, share in best],
                "probabilities": probabilities,
            }
        if not np.isfinite(shares).all():
            return {"class": None, "probability": None, "probabilities": {}}
        order = np.argsort(-shares, kind="stable")[:MOST_CLASSES]
        return {
            "class": self._name(order[0]),
            "probability": plain(shares[order[0]]),
            "probabilities": {str(self._name(number)): plain(shares[number]) for number in order},
        }

    def mean(self, outputs: Any) -> np.ndarray:
        """Returns the logits of the mean probabilities of all seeds, `[S, ...]`."""
        with np.errstate(divide="ignore"):
            return np.log(np.mean([softmax(self._logits(output)) for output in outputs], axis=0))

    def _logits(self, output: Any) -> np.ndarray:
        logits = np.asarray(output, np.float64)
        logits = logits.reshape(-1, self.size) if self.size else logits
        return logits[-self.last :] if self.last else logits

    def _name(self, number: int) -> Any:
        return self.names[number] if self.names else int(number)


@dataclasses.dataclass(frozen=True)
class Numbers:
    """The outputs themselves."""

    def __call__(self, output: Any) -> Any:
        """Returns a number from `[1]`, a list from `[C]`, and a list with one element a step from `[T, ...]`."""
        return jax.tree.map(_numbers, output)

    def mean(self, outputs: Any) -> Any:
        """Returns the mean over seeds of `[S, ...]`."""
        return jax.tree.map(lambda a: np.asarray(a, np.float64).mean(0), outputs)


@dataclasses.dataclass(frozen=True)
class Words:
    """Generated tokens as a text: the tokens before `end`, or all tokens without an `end`.

    Attributes:
      words: the words in the order of their numbers; if empty, an answer is a list of numbers.
      end: the token that ends an answer; None: there is none.
      joint: the separator between two words.
    """

    words: tuple[str, ...] = ()
    end: int | None = None
    joint: str = " "

    def __call__(self, answer: Any) -> Any:
        """Converts a row of `decoding.Answers`, or its `tokens [N]`."""
        tokens = np.asarray(getattr(answer, "tokens", answer)).tolist()
        if self.end in tokens:
            tokens = tokens[: tokens.index(self.end)]
        return self.joint.join(self.words[token] for token in tokens) if self.words else tokens


@dataclasses.dataclass(frozen=True)
class Lazy:
    """An encoder or decoder that is built on first use, because reading a task's data takes time."""

    make: Callable[[], Any]

    @functools.cached_property
    def form(self) -> Any:
        return self.make()

    def __call__(self, given: Any) -> Any:
        return self.form(given)

    def mean(self, outputs: Any) -> Any:
        return self.form.mean(outputs)


def default_decoder(
    spec: Spec, names: tuple[str, ...], *, classes: bool = False, tokens: bool = False
) -> Classes | Numbers | Words:
    """Returns the decoder that fits a spec.

    Args:
      names: the names of classes or tokens, in the order of their numbers.
      classes: whether outputs are logits of classes, not numbers.
      tokens: whether answers are generated tokens that continue the input.
    """
    if spec.generation is not None or tokens:
        return Words(names, None if spec.generation is None else spec.generation.end)
    return Classes(names) if classes and spec.answers is not None else Numbers()


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the softmax probabilities `[..., C]` of logits."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def plain(array: Any) -> Any:
    """Converts float32 numbers to Python floats with the fewest digits; numbers that aren't finite become None."""
    array = np.asarray(array, np.float32)
    if array.ndim:
        return [plain(part) for part in array]
    return float(str(array)) if np.isfinite(array) else None


def _numbers(output: Any) -> Any:
    array = np.asarray(output)
    return plain(array[..., 0] if array.ndim and array.shape[-1] == 1 else array)
