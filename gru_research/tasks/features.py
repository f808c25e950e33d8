"""Converts the features of a TFDS data set to inputs and targets of fixed shapes."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds

from gru_research.config import UserError
from gru_research.data import Layout
from gru_research.types import Array


@dataclasses.dataclass(frozen=True)
class Inputs:
    """A feature converted to inputs.

    Attributes:
      layout: the shape and dtype of a stored row.
      shape: the shape of an example as the model sees it: [T, I], or [T] for tokens.
      vocabulary: V for tokens, else None.
      counted: whether each row has its own length, up to T.
      row: converts a feature's value to a row and its length.
      prepare: converts rows `[B, ...]` to inputs `[B, T, I]` or tokens `[B, T]`, inside jit.
    """

    layout: Layout
    shape: tuple[int, ...]
    vocabulary: int | None
    counted: bool
    row: Callable[[Any], tuple[np.ndarray, int]]
    prepare: Callable[[Array], Array]


@dataclasses.dataclass(frozen=True)
class Targets:
    """A feature as targets: class numbers if `classes` is set, else `size` regression targets."""

    layout: Layout
    classes: int | None
    size: int
    row: Callable[[Any], Any]


def find(features: Any, field: str, path: str) -> Any:
    """Returns the feature that a field of the config names: "text", or "a/b" within a group. Raises ValueError."""
    feature = features
    for part in path.split("/"):
        if not isinstance(feature, tfds.features.FeaturesDict) or part not in feature:
            names = ", ".join(f"{name} ({type(features[name]).__name__})" for name in sorted(features))
            raise ValueError(f"{field}={path!r} must name a feature of the data set, which has {names}")
        feature = feature[part]
    if isinstance(feature, tfds.features.FeaturesDict):
        choices = ", ".join(f"{path}/{name}" for name in sorted(feature))
        raise ValueError(f"{field}={path!r} is a group of features; choose from {choices}")
    if not isinstance(feature.shape, tuple):
        raise ValueError(f"{field}={path!r} ({type(feature).__name__} of groups) is nothing that can be read here")
    return feature


def value_of(example: Any, path: str) -> Any:
    """Returns an example's value under a feature's path."""
    return functools.reduce(lambda group, part: group[part], path.split("/"), example)


def as_inputs(
    path: str, feature: Any, *, max_length: int, cut: bool, order: Literal["rows", "pixels"], vocabulary: int
) -> Inputs:
    """Converts an image, text, tokens or numbers over time to inputs. Raises ValueError for any other feature."""
    if isinstance(feature, tfds.features.Image):
        return _image(path, feature, order)
    shape, dtype = feature.shape, np.dtype(feature.np_dtype)
    if dtype.kind == "O" and shape == ():
        return _sequence(path, None, (), max_length, cut, 256, _bytes)
    vocabulary = vocabulary or getattr(feature, "num_classes", None) or 0
    if len(shape) == 1 and dtype.kind in "iu" and vocabulary:
        return _sequence(path, shape[0], (), max_length, cut, vocabulary, functools.partial(_tokens, path, vocabulary))
    if len(shape) >= 1 and dtype.kind in "biuf" and None not in shape[1:]:
        return _sequence(path, shape[0], (int(np.prod(shape[1:])),), max_length, cut, None, _numbers)
    raise ValueError(
        f"inputs={path!r} ({type(feature).__name__} of shape {shape}) must be text, an image, or whole numbers or "
        f"numbers along time, of which only the time may vary"
    )


def _image(path: str, feature: Any, order: str) -> Inputs:
    if None in feature.shape:
        raise ValueError(f"inputs={path!r} has images of shape {feature.shape} and must have images of one size")
    height, width, channels = feature.shape
    shape = (height, width * channels) if order == "rows" else (height * width, channels)
    dtype = np.dtype(feature.np_dtype)
    scale = np.iinfo(dtype).max if dtype.kind == "u" else 1
    return Inputs(
        layout=Layout(feature.shape, dtype),
        shape=shape,
        vocabulary=None,
        counted=False,
        row=lambda value: (value, shape[0]),
        prepare=lambda rows: rows.reshape(-1, *shape).astype(jnp.float32) / scale,
    )


def _sequence(
    path: str,
    steps: int | None,
    rest: tuple[int, ...],
    max_length: int,
    cut: bool,
    vocabulary: int | None,
    convert: Callable[[Any], np.ndarray],
) -> Inputs:
    """Returns inputs of `steps` steps, or of up to `max_length` steps, padded with 0."""
    if steps is None and not max_length:
        raise ValueError(f"max_length={max_length!r} must be given: sequences of inputs={path!r} differ in length")
    if steps is not None and 0 < max_length < steps and not cut:
        raise ValueError(f"max_length={max_length!r} must be at least {steps}, inputs={path!r}'s length, or cut=True")
    kept = max_length if steps is None else min(steps, max_length or steps)
    dtype = np.dtype(np.float32 if vocabulary is None else np.uint8 if vocabulary <= 256 else np.int32)

    def row(value: Any) -> tuple[np.ndarray, int]:
        converted = convert(value)
        if len(converted) > kept and not cut:
            raise UserError(
                f"inputs={path!r}: a sequence of {len(converted)} steps is longer than max_length={kept}; raise it, or "
                f"drop the end with cut=True"
            )
        out = np.zeros((kept, *rest), dtype)
        out[: len(converted)] = converted[:kept].reshape(-1, *rest)
        return out, min(len(converted), kept)

    return Inputs(
        layout=Layout((kept, *rest), dtype),
        shape=(kept, *rest),
        vocabulary=vocabulary,
        counted=steps is None,
        row=row,
        prepare=lambda rows: rows.astype(jnp.float32 if vocabulary is None else jnp.int32),
    )


def _bytes(value: bytes) -> np.ndarray:
    return np.frombuffer(value, np.uint8)


def _numbers(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32)


def _tokens(path: str, vocabulary: int, value: Any) -> np.ndarray:
    tokens = np.asarray(value, np.int64)
    if len(tokens) and not (tokens.min() >= 0 and tokens.max() < vocabulary):
        raise UserError(
            f"inputs={path!r} holds tokens from {tokens.min()} to {tokens.max()}; with vocabulary={vocabulary} they "
            f"must be from 0 to {vocabulary - 1}"
        )
    return tokens


def as_targets(path: str, feature: Any, classes: int) -> Targets:
    """Converts a class number, or one or more numbers, to targets. Raises ValueError for any other feature."""
    shape, dtype = feature.shape, np.dtype(feature.np_dtype)
    if shape == () and dtype.kind in "biu":
        classes = classes or getattr(feature, "num_classes", None) or (2 if dtype.kind == "b" else 0)
        if classes < 2:
            raise ValueError(f"classes={classes!r} must be at least 2: targets={path!r} doesn't say how many it has")
        return Targets(Layout((), np.dtype(np.int32)), classes, classes, functools.partial(_class, path, classes))
    if dtype.kind == "f" and len(shape) <= 1 and None not in shape:
        size = shape[0] if shape else 1
        return Targets(Layout((size,), np.dtype(np.float32)), None, size, lambda value: value)
    raise ValueError(
        f"targets={path!r} ({type(feature).__name__} of shape {shape}) must be a class, or one or more numbers of a "
        f"fixed count"
    )


def _class(path: str, classes: int, value: Any) -> int:
    if not 0 <= value < classes:
        raise UserError(f"targets={path!r} holds the class {value}; with classes={classes} it must be below that")
    return int(value)
