"""Scales numbers by the means and standard deviations of training data."""

import dataclasses
from typing import Any

import numpy as np

from ..output_decoders import plain


@dataclasses.dataclass(frozen=True)
class Scale:
    """A mean and a standard deviation for each feature, as plain numbers. Scaled numbers are `(x - mean) / std`."""

    mean: list[float]
    std: list[float]

    @classmethod
    def of(cls, numbers: np.ndarray, normalise: bool) -> "Scale":
        """Returns the scale of `numbers [N, C]`; the standard deviation of a constant feature is set to 1. Without
        `normalise`, means are 0 and standard deviations 1."""
        if not normalise:
            return cls([0.0] * numbers.shape[1], [1.0] * numbers.shape[1])
        mean, std = numbers.mean(0, dtype=np.float64), numbers.std(0, dtype=np.float64)
        # The computed deviation of equal numbers is a rounding error.
        constant = std <= 1e-12 * np.abs(mean)
        return cls(mean.tolist(), np.where(constant, 1.0, std).tolist())

    def chosen(self, features: list[int]) -> "Scale":
        return Scale([self.mean[f] for f in features], [self.std[f] for f in features])

    def scaled(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the scaled numbers `[..., C]` in float32."""
        return ((np.asarray(numbers, np.float64) - self.mean) / self.std).astype(np.float32)

    def original(self, scaled: np.ndarray) -> np.ndarray:
        """Converts scaled numbers to original units, in float64."""
        return np.asarray(scaled, np.float64) * self.std + self.mean


@dataclasses.dataclass(frozen=True)
class Values:
    """Outputs as numbers in original units, by name if there are several.

    Attributes:
      scale: the scale of the C numbers.
      names: the C names.
      horizon: H, if outputs `[H C]` hold C numbers for each of H steps; 0: outputs keep their shape.
    """

    scale: Scale
    names: tuple[str, ...]
    horizon: int = 0

    def __call__(self, output: Any) -> Any:
        """Returns a number from `[1]`, or a list over steps from `[T, 1]` or with a horizon above 1. For several
        numbers, returns a dict of these by name."""
        scaled = np.asarray(output, np.float64)
        scaled = scaled.reshape(self.horizon, -1) if self.horizon else scaled
        values = self.scale.original(scaled[0] if self.horizon == 1 else scaled)
        if len(self.names) == 1:
            return plain(values[..., 0])
        return {name: plain(values[..., c]) for c, name in enumerate(self.names)}

    def mean(self, outputs: Any) -> np.ndarray:
        """Returns the mean over seeds of `[S, ...]`."""
        return np.asarray(outputs, np.float64).mean(0)
