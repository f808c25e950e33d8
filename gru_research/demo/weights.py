"""Parameters as base64 text, with the place of each."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

Type = Literal["float32", "float16"]


def pack(params: Any, dtype: Type) -> tuple[Any, str]:
    """Returns the structure of `params` with `{offset, shape}` in place of each array, and all numbers as base64.

    Args:
      dtype: of the numbers, which are little-endian.
    """
    arrays: list[np.ndarray] = []
    count = 0

    def place(leaf: Any) -> dict[str, Any]:
        nonlocal count
        array = np.asarray(leaf, np.float32).astype("<f2" if dtype == "float16" else "<f4")
        arrays.append(array.ravel())
        count += array.size
        return {"offset": count - array.size, "shape": list(array.shape)}

    shapes = _mapped(params, place)
    joined = np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
    return shapes, base64.b64encode(joined.tobytes()).decode("ascii")


def _mapped(params: Any, place: Any) -> Any:
    """Applies `place` to each array of nested mappings and sequences."""
    if isinstance(params, Mapping):
        return {name: _mapped(part, place) for name, part in params.items()}
    if isinstance(params, Sequence):
        return [_mapped(part, place) for part in params]
    return place(params)


def rounded(params: Any, dtype: Type) -> Any:
    """Returns the parameters as the page has them, in float32."""
    return jax.tree.map(lambda a: np.asarray(a, np.float32).astype(dtype).astype(np.float32), params)
