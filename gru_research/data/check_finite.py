"""Rejects stored data with numbers that aren't finite when it is read. The error names the example."""

from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.config import UserError

_AT_ONCE = 2**20  # numbers checked at once: they and the results fit a core's cache


def check_finite(arrays: Mapping[str, np.ndarray], what: str, positions: Sequence[int] | None = None) -> None:
    """Raises UserError if an array `[N, ...]` of floats holds a value that isn't finite.

    Args:
      arrays: by name; arrays without floats are skipped.
      what: names the data set and the split.
      positions: the positions of the rows' examples in the split; by default the first N.
    """
    for name, array in arrays.items():
        if array.dtype.kind != "f" or not array.size:
            continue
        step = max(1, _AT_ONCE * len(array) // array.size)
        for start in range(0, len(array), step):
            part = array[start : start + step]
            finite = np.isfinite(part)
            if not finite.all():
                row = int(np.flatnonzero(~finite.reshape(len(part), -1).all(1))[0])
                value = part[row].ravel()[np.flatnonzero(~finite[row].ravel())[0]]
                example = start + row if positions is None else positions[start + row]
                raise UserError(
                    f"{what}: {name} of example {example} holds {value}, and must be finite: mend the data set or "
                    f"leave that example out"
                )
