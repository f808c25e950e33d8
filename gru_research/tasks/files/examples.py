"""Examples read from a file: sequences with one target each, or with a target at each step."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import FLOAT32, out_of_range, read_npz

from .categorical import Categorical


@dataclasses.dataclass(frozen=True)
class Examples:
    """N sequences of up to T steps.

    Attributes:
      inputs: tokens `[N, T]`, or numbers `[N, T, I]`.
      lengths: `[N]`, the number of real steps of each sequence; later steps are arbitrary.
      targets: classes `[N]` or labels `[N, T]` by name; or numbers, `[N, C]` or `[N, T, C]`.
      outputs: the names of the C numbers; empty for classes.
      counted: whether sequences may differ in length.
      path: the file.
      place: returns the place of an example in its file, for errors.
    """

    inputs: Categorical | np.ndarray
    lengths: np.ndarray
    targets: Categorical | np.ndarray
    outputs: tuple[str, ...]
    counted: bool
    path: Path
    place: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def stepwise(self) -> bool:
        """Whether each step has a target."""
        targets = self.targets
        return targets.ids.ndim == 2 if isinstance(targets, Categorical) else targets.ndim == 3

    @property
    def kind(self) -> str:
        """The kind of prediction: "classification", "tagging" or "regression"."""
        if not isinstance(self.targets, Categorical):
            return "regression"
        return "tagging" if self.stepwise else "classification"

    @property
    def real(self) -> np.ndarray:
        """`[N, T]`, True at the real steps of each sequence."""
        steps = (self.inputs.ids if isinstance(self.inputs, Categorical) else self.inputs).shape[1]
        return np.arange(steps) < self.lengths[:, None]

    @property
    def asked(self) -> np.ndarray:
        """True where there is a target: at all real steps `[N, T]`, or for all sequences `[N]`."""
        return self.real if self.stepwise else np.ones(len(self), bool)

    def take(self, rows: np.ndarray) -> "Examples":
        inputs, targets = (a.take(rows) if isinstance(a, Categorical) else a[rows] for a in (self.inputs, self.targets))
        positions: list[int] = rows.tolist()
        place = self.place
        return dataclasses.replace(
            self, inputs=inputs, lengths=self.lengths[rows], targets=targets, place=lambda n: place(positions[n])
        )


def from_npz(path: Path, kind: str, inputs_name: str = "inputs", targets_name: str = "targets") -> Examples:
    """Reads the examples of an .npz file: `inputs [N, T]` integers (tokens) or floats, or `[N, T, I]` numbers;
    `targets` as in `Examples`, or `[N]` floats; and optionally `lengths [N]`.

    Raises:
      FileError: shapes that don't fit, values that aren't finite, or targets of another `kind` ("auto" accepts any).
    """
    arrays = read_npz(path, (inputs_name, targets_name), ("lengths",))
    inputs = arrays[inputs_name]
    if inputs.ndim not in (2, 3) or not inputs.size or inputs.dtype.kind == "U":
        raise FileError(
            f"{path}: {inputs_name} of shape {inputs.shape} ({inputs.dtype}) must be numbers [N, T] or [N, T, I], N, T "
            f"and I at least 1"
        )
    for name, array in arrays.items():
        if array.shape[:1] != inputs.shape[:1]:
            raise FileError(
                f"{path}: {name} of shape {array.shape} must have N={len(inputs)} rows, as {inputs_name} has"
            )
    lengths = _lengths(path, arrays.get("lengths"), *inputs.shape[:2])
    targets = _targets(f"{path}: {targets_name}", arrays[targets_name], kind, inputs.shape[1])
    if inputs.ndim == 2 and inputs.dtype.kind in "biu":
        read: Categorical | np.ndarray = Categorical.of(inputs)
    else:
        numbers = inputs.reshape(*inputs.shape[:2], -1)
        _check_finite(path, inputs_name, numbers, np.arange(inputs.shape[1]) < lengths[:, None], inputs.ndim)
        with np.errstate(over="ignore"):  # values of padding steps may overflow
            read = numbers.astype(np.float32)
    made = Examples(
        inputs=read,
        lengths=lengths,
        targets=targets,
        outputs=() if isinstance(targets, Categorical) else _names(targets.shape[-1]),
        counted="lengths" in arrays,
        path=path,
        place=lambda n: f"{path}: example {n}",
    )
    if not isinstance(targets, Categorical):
        axes = arrays[targets_name].ndim
        _check_finite(path, targets_name, targets, made.real if made.stepwise else None, axes)
    return made


def _names(count: int) -> tuple[str, ...]:
    return ("value",) if count == 1 else tuple(f"value {n}" for n in range(count))


def _lengths(path: Path, lengths: np.ndarray | None, count: int, steps: int) -> np.ndarray:
    if lengths is None:
        return np.full(count, steps, np.int32)
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
        raise FileError(f"{path}: lengths of shape {lengths.shape} ({lengths.dtype}) must be whole numbers [N={count}]")
    wrong = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(wrong):
        raise FileError(f"{path}: lengths[{wrong[0]}] is {lengths[wrong[0]]}, and must be from 1 to T={steps}")
    return lengths.astype(np.int32)


def _targets(what: str, targets: np.ndarray, kind: str, steps: int) -> Categorical | np.ndarray:
    """Returns targets as in `Examples`; a column `[N, 1]` of labels becomes `[N]`."""
    by_name = targets.dtype.kind in "biuU"
    shape, said = targets.shape, f"{what} of shape {targets.shape} ({targets.dtype})"
    numbers = kind == "regression" or (kind == "auto" and not by_name)
    if not numbers:
        if targets.ndim == 2 and shape[1] == 1 < steps and kind != "tagging":
            targets = targets[:, 0]
        wanted = {"classification": (1,), "tagging": (2,)}.get(kind, (1, 2))
        if not by_name or targets.ndim not in wanted or (targets.ndim == 2 and shape[1] != steps):
            raise FileError(
                f"{said} must be whole numbers or texts, [N] for classification or [N, T={steps}] for tagging; or "
                f"floats for regression"
            )
        return Categorical.of(targets)
    if targets.dtype.kind == "U" or targets.ndim not in (1, 2, 3) or (targets.ndim == 3 and shape[1] != steps):
        raise FileError(f"{said} must be numbers for regression, [N], [N, C] or [N, T={steps}, C]")
    if targets.ndim > 1 and not shape[-1]:
        raise FileError(f"{said} must have at least one number")
    return targets.reshape(*(shape if targets.ndim > 1 else (*shape, 1))).astype(np.float64)


def _check_finite(path: Path, name: str, array: np.ndarray, real: np.ndarray | None, axes: int) -> None:
    """Raises FileError if a number isn't finite in float32. `real` (None: all) marks the real steps; `axes` is the
    number of axes of the file's array."""
    wrong = out_of_range(array)
    if real is not None:
        wrong &= real[..., None]
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        must = "be finite at every step that lengths counts"
        if np.isfinite(array[index]):
            must = f"be at most {FLOAT32:.3g} in size: it is beyond float32"
        raise FileError(f"{path}: {name}[{', '.join(map(str, index[:axes]))}] is {array[index]}, and must {must}")
