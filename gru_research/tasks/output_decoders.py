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
"""The probabilities of no more classes are said."""


@runtime_checkable
class Averaged(Protocol):
    """An answer's form that says what the mean of several outputs is."""

    def mean(self, outputs: Any) -> Any:
        """One output from those of several seeds, `[S, ...]`."""
        ...


@dataclasses.dataclass(frozen=True)
class Classes:
    """The most probable class and its probability, from logits `[C]`; lists of them, one a step, from `[T, C]`.

    Attributes:
      names: of the classes, in the order of their numbers; without them a class is its number.
      size: C where outputs `[K C]` hold the logits of K answers; 0: they are as they come.
      last: of how many steps, from the end, answers are asked for; 0: of all.
    """

    names: tuple[Any, ...] = ()
    size: int = 0
    last: int = 0

    def __call__(self, output: Any) -> dict[str, Any]:
        """`class`, `probability` and, of at most ten classes by name, `probabilities`, the largest first; for several
        steps `classes` and `probabilities`, those of these classes."""
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
        """Logits whose probabilities are the mean of those of all seeds, `[S, ...]`."""
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
        """A number from `[1]`, a list from `[C]`, and lists of them, one a step, from `[T, ...]`."""
        return jax.tree.map(_numbers, output)

    def mean(self, outputs: Any) -> Any:
        """The mean of all seeds' `[S, ...]`."""
        return jax.tree.map(lambda a: np.asarray(a, np.float64).mean(0), outputs)


@dataclasses.dataclass(frozen=True)
class Words:
    """Generated tokens as a text: those before `end`, or all where it never comes.

    Attributes:
      words: in the order of their numbers; without them an answer is a list of numbers.
      end: the token that ends an answer; None: none does.
      joint: what is put between two words.
    """

    words: tuple[str, ...] = ()
    end: int | None = None
    joint: str = " "

    def __call__(self, answer: Any) -> Any:
        """From a row of `decoding.Answers`, or its `tokens [N]`."""
        tokens = np.asarray(getattr(answer, "tokens", answer)).tolist()
        if self.end in tokens:
            tokens = tokens[: tokens.index(self.end)]
        return self.joint.join(self.words[token] for token in tokens) if self.words else tokens


@dataclasses.dataclass(frozen=True)
class Lazy:
    """A form that is made when it is first used: to look at a task's data takes time, which most runs needn't spend."""

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
    """How outputs are said that fit a spec.

    Args:
      names: of classes or of tokens, in the order of their numbers.
      classes: outputs are logits of classes, and no numbers.
      tokens: answers are generated tokens, which continue the input.
    """
    if spec.generation is not None or tokens:
        return Words(names, None if spec.generation is None else spec.generation.end)
    return Classes(names) if classes and spec.answers is not None else Numbers()


def softmax(logits: np.ndarray) -> np.ndarray:
    """The probabilities `[..., C]` of logits."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def plain(array: Any) -> Any:
    """Float32 numbers as Python's, with no more digits than they have; those that aren't finite are None."""
    array = np.asarray(array, np.float32)
    if array.ndim:
        return [plain(part) for part in array]
    return float(str(array)) if np.isfinite(array) else None


def _numbers(output: Any) -> Any:
    array = np.asarray(output)
    return plain(array[..., 0] if array.ndim and array.shape[-1] == 1 else array)
