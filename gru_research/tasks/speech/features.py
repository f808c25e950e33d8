"""Features of speech: log-mel energies of sound, differences of cepstra, frames stacked and normalised."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse

RATE = 8000
"""Samples a second that features are computed from."""
WINDOW, HOP = 200, 80
"""25 ms and 10 ms, in samples."""
MELS = 40
_FFT = 512
_LOWEST = 60.0
_FLOOR = 1e-7
_LEAST_STD = 1e-2


@dataclasses.dataclass(frozen=True)
class Front:
    """How frames become a model's inputs.

    Attributes:
      stack: the number of frames in each input.
      running: whether frames are normalised by those up to them, and not by the whole utterance.
      mean, std: of training frames, by feature. Running statistics begin with these as if they were `PRIOR` frames.
    """

    stack: int
    running: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def inputs(self, frames: np.ndarray) -> np.ndarray:
        """Returns a model's inputs float32 `[T // stack, stack * F]` from frames `[T, F]`."""
        normal = running_normal(frames, self.mean, self.std) if self.running else normalised(frames)
        return stacked(normal, self.stack).astype(np.float32)


PRIOR = 50
"""The weight of training frames in running statistics, in frames."""


def log_mels(samples: np.ndarray) -> np.ndarray:
    """Returns float32 `[T, 40]`, the logarithms of mel energies of sound `[N]` at 8 kHz: a frame each 10 ms, of 25 ms
    with a Hamming window. T is 1 + (N - 200) // 80; there is none in less than 25 ms."""
    if len(samples) < WINDOW:
        return np.zeros((0, MELS), np.float32)
    parts = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), WINDOW)[::HOP]
    window = np.asarray(0.54 - 0.46 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW), np.float32)
    parts = (parts - parts.mean(1, keepdims=True)) * window
    spectrum: Any = scipy.fft.rfft(parts, _FFT)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.log((_filters() @ power.T).T + _FLOOR).astype(np.float32)


@functools.cache
def _filters() -> scipy.sparse.csr_array:
    """Returns triangles float32 `[40, 257]` that are equally wide in mel from 60 Hz to 4 kHz. They are sparse, because
    a product by BLAS takes much longer where other processes compute too."""
    ends = np.linspace(_mel(_LOWEST), _mel(RATE / 2), MELS + 2)
    points = _mel(np.arange(_FFT // 2 + 1) * RATE / _FFT)[:, None]
    rising = (points - ends[:-2]) / (ends[1:-1] - ends[:-2])
    falling = (ends[2:] - points) / (ends[2:] - ends[1:-1])
    return scipy.sparse.csr_array(np.maximum(np.minimum(rising, falling), 0).T.astype(np.float32))


def _mel(hertz: float | np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def with_differences(frames: np.ndarray) -> np.ndarray:
    """Returns `[T, 3 F]` from frames `[T, F]`: with first and second differences, each the regression slope over two
    frames before and two after; the first and last frame are repeated at the ends."""
    first = _slope(frames)
    return np.concatenate([frames, first, _slope(first)], 1)


def _slope(frames: np.ndarray) -> np.ndarray:
    padded = np.pad(frames, ((2, 2), (0, 0)), mode="edge")
    return (padded[3:-1] - padded[1:-3] + 2 * (padded[4:] - padded[:-4])) / 10


def stacked(frames: np.ndarray, count: int) -> np.ndarray:
    """Returns `[T // count, count * F]`: `count` frames after each other in each row; frames that are left are cut."""
    whole = len(frames) // count
    return frames[: whole * count].reshape(whole, count * frames.shape[1])


def normalised(frames: np.ndarray) -> np.ndarray:
    """Returns frames `[T, F]` with mean 0 and standard deviation 1 of each feature."""
    return (frames - frames.mean(0)) / np.maximum(frames.std(0), _LEAST_STD)


def running_normal(frames: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """Returns each frame normalised by the statistics of the frames up to it, which begin with `PRIOR` frames of this
    mean and standard deviation."""
    return Running(mean, std)(frames)


class Running:
    """Normalises frames as they come, see `running_normal`."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        center, spread = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        self._count = float(PRIOR)
        self._sum = PRIOR * center
        self._squares = PRIOR * (np.square(center) + np.square(spread))

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Returns the next frames `[T, F]`, normalised."""
        wide = frames.astype(np.float64)
        counts = self._count + np.arange(1, len(wide) + 1)[:, None]
        sums = self._sum + wide.cumsum(0)
        squares = self._squares + np.square(wide).cumsum(0)
        mean = sums / counts
        std = np.sqrt(np.maximum(squares / counts - np.square(mean), 0))
        if len(wide):
            self._count, self._sum, self._squares = float(counts[-1, 0]), sums[-1], squares[-1]
        return (wide - mean) / np.maximum(std, _LEAST_STD)
