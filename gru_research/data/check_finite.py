"""Numbers of stored data that aren't finite: refused where they are read, by example, before they cost a run."""

from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.config import UserError

_AT_ONCE = 2**20  # numbers looked at together: they stay in a core's cache, and so do the answers


def check_finite(arrays: Mapping[str, np.ndarray], what: str, positions: Sequence[int] | None = None) -> None:
    """Raises UserError where an array `[N, ...]` of floats holds a value that isn't finite.

    Args:
      arrays: by name; those that hold no floats cost nothing.
      what: names the data set and the split.
      positions: which examples of the split the rows are; by default the first N.
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
