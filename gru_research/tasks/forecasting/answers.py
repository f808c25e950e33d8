"""From a series in its own units to a model's inputs, and from outputs to forecasts in these units."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..files.scaling import Scale
from ..output_decoders import plain
from .metrics import ends, point
from .tables import History

FLOAT32 = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class Encode:
    """The end of a series as a model's inputs.

    Attributes:
      scale: of the C series.
      look_back: T.
      masked: whether values may be missing.
    """

    scale: Scale
    look_back: int
    masked: bool

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns `inputs [T, C]`, scaled, and where values may be missing `observed [T, C]`.

        Args:
          raw: a `History`, or numbers `[N, C]`, or `[N]` for one series; N at least T, NaN where a value is missing.

        Raises:
          TypeError: other than numbers.
          ValueError: another shape, a series that is too short, or a number that isn't finite or is missing.
        """
        values = self._numbers(raw.values if isinstance(raw, History) else raw)
        if len(values) < self.look_back:
            raise ValueError(
                f"the series has {len(values)} rows and must have at least {self.look_back}, those of the look-back"
            )
        values = values[-self.look_back :]
        observed = ~np.isnan(values)
        wrong = np.abs(values) > FLOAT32
        if not self.masked:
            wrong |= ~observed
        if wrong.any():
            row, column = np.argwhere(wrong)[0].tolist()
            raise ValueError(
                f"row {row - self.look_back} from the end, series {column + 1}, is {values[row, column]}, and must be "
                f"finite"
            )
        inputs = np.where(observed, self.scale.scaled(values), np.float32(0))
        return {"inputs": inputs, "observed": observed} if self.masked else {"inputs": inputs}

    def _numbers(self, raw: Any) -> np.ndarray:
        wanted = f"numbers [N, {len(self.scale.mean)}]"
        try:
            values = np.asarray(raw)
        except ValueError as e:  # rows of different lengths
            raise ValueError(f"the series must be {wanted}, with rows of one length") from e
        if values.dtype.kind not in "biuf":
            raise TypeError(f"the series must be {wanted}, from an array or a table")
        if values.ndim == 1 and len(self.scale.mean) == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != len(self.scale.mean):
            raise ValueError(f"a series of shape {list(values.shape)} must be {wanted}")
        return values.astype(np.float64)


@dataclasses.dataclass(frozen=True)
class Decode:
    """Forecasts in the series' own units.

    Attributes:
      scale, columns: of the C series.
      levels: the Q quantile levels, or none for the mean.
    """

    scale: Scale
    columns: Sequence[str]
    levels: Sequence[float]

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns for each column its `forecast`, a number for each of the U steps, and with several levels `low` and
        `high`, the ends of the interval, from outputs `[U, C, Q]`."""
        arrays = self.arrays(output)
        return {
            column: {name: plain(values[:, c]) for name, values in arrays.items()}
            for c, column in enumerate(self.columns)
        }

    def arrays(self, output: Any) -> dict[str, np.ndarray]:
        """Returns `forecast`, and with several levels `low` and `high`, `[..., U, C]` in the series' units."""
        outputs = np.asarray(output, np.float64)
        found = {"forecast": self.scale.original(point(outputs))}  # pyright: ignore[reportArgumentType]
        if len(self.levels) > 1:
            found |= {name: self.scale.original(end) for name, end in zip(("low", "high"), ends(outputs), strict=True)}
        return found

    def mean(self, outputs: Any) -> np.ndarray:
        """Returns the mean of each quantile over seeds, `[S, U, C, Q]`."""
        return np.asarray(outputs, np.float64).mean(0)
