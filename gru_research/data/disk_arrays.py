"""Arrays on disk: examples of a prepared data set, decoded on demand to rows of fixed shapes."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gru_research.config import UserError
from gru_research.data.check_finite import check_finite

_READ_AT_ONCE = 1000  # decoded examples are Python objects, so this limits their memory

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Layout:
    """The shape and dtype of one row of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


class DiskArrays(Mapping[str, "DiskArray"]):
    """Arrays `[N, ...]` by name. `take` reads rows from disk.

    TFDS decodes about ten thousand examples a second, a hundredth of the rate of arrays in memory.

    Args:
      examples: N examples. `__getitems__(list of positions)` returns several, as in TFDS's data sources.
      layouts: the shape and dtype of a row, by name.
      row: converts an element of `examples` to its rows by name. It may raise UserError.
      what: names the data set and the part in errors.
    """

    def __init__(self, examples: Any, layouts: Mapping[str, Layout], row: Callable[[Any], Row], what: str) -> None:
        self.examples = examples
        self.layouts = dict(layouts)
        self.row = row
        self.what = what

    def __getitem__(self, name: str) -> "DiskArray":
        return DiskArray(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layouts)

    def __len__(self) -> int:
        return len(self.layouts)

    @property
    def rows(self) -> int:
        """N, the number of rows."""
        return len(self.examples)

    @property
    def nbytes(self) -> int:
        """The size of all arrays in memory, in bytes."""
        return sum(array.nbytes for array in self.values())

    def take(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the rows at `index [...]`, each from 0 to N - 1: arrays `[..., *row]` by name.

        Raises:
          UserError: `row` raises it, an example can't be read, or a float isn't finite.
        """
        positions: list[int] = index.ravel().tolist()
        out = {name: np.empty((len(positions), *layout.shape), layout.dtype) for name, layout in self.layouts.items()}
        for start in range(0, len(positions), _READ_AT_ONCE):
            part = positions[start : start + _READ_AT_ONCE]
            for n, example in enumerate(self._read(part), start):
                for name, value in self.row(example).items():
                    out[name][n] = value
        check_finite(out, self.what, positions)
        return {name: array.reshape(*index.shape, *array.shape[1:]) for name, array in out.items()}

    def in_memory(self) -> dict[str, np.ndarray]:
        """Returns all rows."""
        return self.take(np.arange(self.rows))

    def _read(self, positions: list[int]) -> Sequence[Any]:
        try:
            return self.examples.__getitems__(positions)
        except Exception as e:  # array_record, protobuf and TFDS report damage by several unrelated types
            line = " ".join(f"{type(e).__name__}: {e}".split())[:200]
            raise UserError(f"{self.what} is damaged ({line}): prepare it again") from e


@dataclasses.dataclass(frozen=True)
class DiskArray:
    """One array of `DiskArrays`, with a shape and a dtype. Indexing reads it from disk."""

    arrays: DiskArrays
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.arrays.rows, *self.arrays.layouts[self.name].shape)

    @property
    def dtype(self) -> np.dtype:
        return self.arrays.layouts[self.name].dtype

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.arrays.rows

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        return self.arrays.take(np.arange(len(self))[index])[self.name]
