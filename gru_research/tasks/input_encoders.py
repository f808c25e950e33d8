"""Converts a text, an array or a dict of arrays to one example as the model sees it.

A task without `encode` gets the encoder that fits its spec (`default_encoder`).
"""

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gru_research.config import choose
from gru_research.spec import Spec

BESIDE = ("lengths", "mask", "resets")
"""The fields that a model may read in addition to the inputs: see `unroll`."""
FEW_WORDS = 60
"""An error about an unknown word lists vocabularies up to this size in full."""
MOST_CHARACTERS = 120
"""An error shows at most this many characters of an alphabet."""
MOST_UNKNOWN = 5
"""An error shows at most this many tokens of an input without any known token."""


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Tokens `[T]` from a text, or from an array of whole numbers.

    Attributes:
      vocabulary: V; tokens are below it.
      words: the vocabulary in the order of the token numbers; if empty, a text holds whole numbers.
      steps: T; None accepts any.
      beside: the names in `BESIDE` that an example also holds.
      split: splits a text into words, or into numbers.
      unknown: the token for words outside the vocabulary; None rejects them.
      learned: whether the training data contain `unknown`; if not, an input of unknown tokens alone is rejected.
    """

    vocabulary: int
    words: tuple[str, ...] = ()
    steps: int | None = None
    beside: tuple[str, ...] = ()
    split: Callable[[str], Sequence[Any]] = str.split
    unknown: int | None = None
    learned: bool = True

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns one example without a batch axis. Raises ValueError, or TypeError for an unsupported type."""
        raw, beside = _parted(raw, self.beside)
        tokens = self._of_text(raw) if isinstance(raw, str) else self._of_array(raw)
        _check_steps(tokens, self.steps, "token", "tokens")
        return {"inputs": tokens, **_beside(beside, len(tokens), self.beside)}

    def _of_text(self, text: str) -> np.ndarray:
        found = self.split(text)
        if not self.words:
            return self._of_array(np.array([_whole_number(word) for word in found], np.int64))
        tokens = np.array([self._number(word) for word in found], np.int32)
        if not self.learned and tokens.size and (tokens == self.unknown).all():
            shown = ", ".join(map(repr, dict.fromkeys(found[:MOST_UNKNOWN])))
            raise ValueError(
                f"no token of the input is known from training: {shown}{', ...' * (len(found) > MOST_UNKNOWN)}"
            )
        return tokens

    def _number(self, word: str) -> int:
        number = self._numbers.get(word, self.unknown)
        if number is not None:
            return number
        what = "character" if all(len(known) == 1 for known in self.words) else "word"
        if len(self.words) <= FEW_WORDS:
            choose(what, word, self.words)
        if what == "character":
            known = repr("".join(self.words))
            shown = known if len(known) <= MOST_CHARACTERS else f"{known[:MOST_CHARACTERS]}..."
            raise ValueError(f"character={word!r} isn't among the {len(self.words):,} known: {shown}")
        near = difflib.get_close_matches(word, self.words, n=3, cutoff=0)
        raise ValueError(f"{what}={word!r} isn't among the {len(self.words):,} known; near are {', '.join(near)}")

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def _of_array(self, raw: Any) -> np.ndarray:
        array = _array(raw, f"a text, or tokens [{self.steps or 'T'}], whole numbers below {self.vocabulary}", 1)
        if array.size and (array != np.floor(array)).any():
            raise ValueError(f"token {array[array != np.floor(array)][0]} must be a whole number")
        wrong = array[(array < 0) | (array >= self.vocabulary)]
        if len(wrong):
            raise ValueError(f"token {wrong[0]:g} is unknown: tokens are from 0 to {self.vocabulary - 1}")
        return array.astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Numbers `[T, I]` from an array, `[T]` where I is 1, or from a text whose steps are divided by semicolons.

    Attributes:
      size: I.
      steps: T; None accepts any.
      beside: the names in `BESIDE` that an example also holds.
    """

    size: int
    steps: int | None = None
    beside: tuple[str, ...] = ()

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns one example without a batch axis. Raises ValueError, or TypeError for an unsupported type."""
        raw, beside = _parted(raw, self.beside)
        shape = f"[{self.steps or 'T'}, {self.size}]" + (f" or [{self.steps or 'T'}]" if self.size == 1 else "")
        wanted = f"numbers {shape}"
        array = _array(_rows(raw, self.size) if isinstance(raw, str) else raw, wanted)
        given = list(array.shape)
        if array.ndim == 1 and (self.size == 1 or not array.size):
            array = array.reshape(-1, self.size)
        if array.ndim > 2:
            array = array.reshape(len(array), -1)
        if array.ndim != 2 or array.shape[1] != self.size:
            raise ValueError(f"an array of shape {given} must have the shape {shape}")
        _check_steps(array, self.steps, "step", "steps")
        return {"inputs": array.astype(np.float32), **_beside(beside, len(array), self.beside)}


@dataclasses.dataclass(frozen=True)
class Image:
    """An image as a sequence, from an array of `shape` or its flattened pixels.

    Attributes:
      shape: `(height, width)` or `(height, width, channels)`.
      arrange: converts pixels of that shape, float32 from 0 to 1, to inputs `[T, I]`.
      most: the divisor of whole numbers. Floats are divided by it only if one of them is above 1.
      beside: the names in `BESIDE` that an example also holds.
    """

    shape: tuple[int, ...]
    arrange: Callable[[np.ndarray], np.ndarray]
    most: int = 255
    beside: tuple[str, ...] = ()

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns one example without a batch axis. Raises ValueError, or TypeError for an unsupported type."""
        raw, beside = _parted(raw, self.beside)
        size = int(np.prod(self.shape))
        wanted = f"an image {list(self.shape)}, or its {size} pixels"
        array = _array(raw, wanted)
        if not array.size:
            raise ValueError(f"the input is empty: it must be {wanted}")
        if array.shape not in (self.shape, (size,)):
            raise ValueError(f"an array of shape {list(array.shape)} must be {wanted}")
        scale = self.most if array.dtype.kind in "iu" or array.max() > 1 else 1
        if array.min() < 0 or array.max() > scale:
            raise ValueError(f"pixels from {array.min():g} to {array.max():g} must be from 0 to {scale}")
        inputs = self.arrange(array.reshape(self.shape).astype(np.float32) / np.float32(scale))
        return {"inputs": inputs, **_beside(beside, len(inputs), self.beside)}


def characters_of(text: str) -> list[str]:
    """Returns a text's characters without whitespace."""
    return list("".join(text.split()))


def default_encoder(spec: Spec, words: tuple[str, ...], beside: Sequence[str]) -> Tokens | Vectors:
    """Returns the encoder that fits a spec. `beside` names the fields of a batch. With `lengths` or `mask`, inputs may
    have any number of steps."""
    shape = spec.example["inputs"].shape
    held = tuple(name for name in BESIDE if name in beside)
    steps = None if {"lengths", "mask"} & set(held) else shape[0]
    if spec.vocabulary is not None:
        return Tokens(spec.vocabulary, words, steps, held)
    return Vectors(int(np.prod(shape[1:])), steps, held)


def _parted(raw: Any, beside: Sequence[str]) -> tuple[Any, Mapping[str, Any]]:
    """Splits raw input into the inputs and its other fields."""
    if not isinstance(raw, Mapping):
        return raw, {}
    if "inputs" not in raw:
        raise ValueError(f"an input that is a dict must have 'inputs'; it has {', '.join(map(str, raw)) or 'nothing'}")
    for name in raw:
        choose("field", name, ["inputs", *beside])
    return raw["inputs"], {name: value for name, value in raw.items() if name != "inputs"}


def _beside(given: Mapping[str, Any], steps: int, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns `lengths []`, `mask [T]` and `resets [T]`, if in `wanted`. By default all steps are real and none resets.

    Raises ValueError for a length out of range, or an array of another length.
    """
    found: dict[str, np.ndarray] = {}
    for name in wanted:
        value = np.asarray(given.get(name, {"lengths": steps, "mask": np.ones(steps), "resets": np.zeros(steps)}[name]))
        if name == "lengths":
            if value.shape or value.dtype.kind not in "iu" or not 1 <= value <= steps:
                raise ValueError(f"lengths={given[name]!r} must be a whole number from 1 to {steps}, the steps")
            found[name] = value.astype(np.int32)
        else:
            if value.shape != (steps,) or not np.isin(value, (0, 1)).all():
                raise ValueError(f"{name} must be [{steps}] of true and false, here it has shape {list(value.shape)}")
            found[name] = value.astype(bool)
    return found


def _array(raw: Any, wanted: str, axes: int | None = None) -> np.ndarray:
    """Converts `raw` to an array of finite numbers with `axes` axes (None: any)."""
    try:
        array = np.asarray(raw)
    except ValueError:  # lists of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        shown = " ".join(repr(raw).split())
        error = ValueError if isinstance(raw, str | list | tuple) else TypeError
        raise error(f"{shown[:40] + '...' * (len(shown) > 40)} must be {wanted}")
    if axes is not None and array.ndim != axes and array.size:
        raise ValueError(f"an array of shape {list(array.shape)} must be {wanted}")
    # Models read float32. A number beyond its range would become infinite.
    with np.errstate(over="ignore"):
        if not np.isfinite(array.astype(np.float32)).all():
            raise ValueError("the input has numbers that aren't finite, or beyond float32")
    return array


def _check_steps(array: np.ndarray, steps: int | None, one: str, many: str) -> None:
    """Raises ValueError for an empty input, or if the number of steps isn't `steps` (None: any)."""
    if not len(array):
        raise ValueError(f"the input is empty: it must have {f'{steps} {many}' if steps else f'at least 1 {one}'}")
    if steps is not None and len(array) != steps:
        raise ValueError(f"the input has {len(array)} {many if len(array) > 1 else one} and must have {steps}")


def _whole_number(text: str | int) -> int:
    try:
        return int(text)
    except ValueError as e:
        raise ValueError(f"token {text!r} must be a whole number") from e


def _rows(text: str, size: int) -> np.ndarray:
    """Parses the numbers of a text. Semicolons divide steps; blanks or commas may do so if `size` is 1."""
    separated = text.replace(",", " ")
    steps = separated.split() if size == 1 and ";" not in text else [s for s in separated.split(";") if s.strip()]
    try:
        rows = [[float(number) for number in step.split()] for step in steps]
    except ValueError as e:
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        wanted = "numbers" if size == 1 else f"{size} numbers a step, with semicolons between steps"
        raise ValueError(f"{shown!r} must be {wanted} (or an array from a file)") from e
    for row in rows:
        if len(row) != size:
            raise ValueError(f"a step has {len(row)} numbers and must have {size}; semicolons divide steps")
    return np.array(rows, np.float64).reshape(-1, size)
