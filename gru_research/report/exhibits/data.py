"""What pages about analyses show, as plain data: written to JSON where it is found, drawn where it is read.

An exhibit is a `Table`, `Lines`, `Dots`, a `Heat` map or a `Grid`. Numbers that aren't finite are None: null in JSON,
a gap in a figure, "-" in a table.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Number: TypeAlias = float | None


@dataclasses.dataclass(frozen=True)
class Table:
    """`rows` are texts, the first of each its name."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line through `x`, `y`, with a band from `low` to `high` where they are given; `place` chooses its colour."""

    label: str
    place: int
    x: tuple[float, ...]
    y: tuple[Number, ...]
    low: tuple[Number, ...] = ()
    high: tuple[Number, ...] = ()


@dataclasses.dataclass(frozen=True)
class Panel:
    """Lines that share their axes; `title` stands above them."""

    title: str
    lines: tuple[Line, ...]


@dataclasses.dataclass(frozen=True)
class Words:
    """What a figure says in words: its title, what stands in place of it, and what to see in it."""

    title: str
    alt: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Lines:
    """Panels below each other, on the same scales.

    Attributes:
      name: of the figure's file.
      powers: whether `y` are exponents of ten, which the axis shows as powers.
      x_logarithmic: whether x is.
    """

    name: str
    words: Words
    panels: tuple[Panel, ...]
    x_label: str
    y_label: str
    powers: bool = False
    x_logarithmic: bool = False


@dataclasses.dataclass(frozen=True)
class Dot:
    """A value with an interval, None at both ends where there is none; `group` chooses its colour and its mark."""

    label: str
    value: Number
    low: Number = None
    high: Number = None
    group: int = 0


def dot(label: str, estimate: Any, group: int = 0) -> Dot:
    """A `Dot` from (value, low, high), which needn't be finite."""
    value, low, high = numbers(estimate)
    return Dot(label, value, low, high, group)


@dataclasses.dataclass(frozen=True)
class Dots:
    """A row for each value; `reference` is a line across, `groups` are the names of the marks where there are several.

    `powers` as in `Lines`, of the values.
    """

    name: str
    words: Words
    rows: tuple[Dot, ...]
    x_label: str
    reference: Number = None
    groups: tuple[str, ...] = ()
    powers: bool = False


@dataclasses.dataclass(frozen=True)
class Heat:
    """One sequence: its inputs as lines, and below them what every unit's gates did at every step.

    Attributes:
      inputs: `[T]` by name.
      gates: rows `[H][T]` of numbers from 0 to 1 by name, units in the order of `units`.
      units: the unit's number in each row.
      readings: what a slider shows at each step beside inputs and the gates' means, by name.
    """

    name: str
    words: Words
    inputs: Mapping[str, tuple[Number, ...]]
    gates: Mapping[str, tuple[tuple[Number, ...], ...]]
    units: tuple[int, ...]
    readings: Mapping[str, tuple[Number, ...]] = dataclasses.field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(next(iter(self.inputs.values())))


@dataclasses.dataclass(frozen=True)
class Grid:
    """A number from 0 to 1 for each row and column.

    Attributes:
      rows, columns: their names `[R]` and `[C]`.
      values: `[R][C]`.
      row_label, column_label: what rows and columns are.
    """

    name: str
    words: Words
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Number, ...], ...]
    row_label: str
    column_label: str


Exhibit: TypeAlias = Table | Lines | Dots | Heat | Grid
_KINDS: Mapping[str, type] = {"table": Table, "lines": Lines, "dots": Dots, "heat": Heat, "grid": Grid}


def numbers(values: Any) -> tuple[Number, ...]:
    """An array `[N]` as numbers, None where it isn't finite."""
    return tuple(float(v) if v is not None and math.isfinite(v) else None for v in values)


def to_json(exhibit: Exhibit) -> dict[str, Any]:
    """Plain JSON."""
    kind = next(name for name, cls in _KINDS.items() if isinstance(exhibit, cls))
    return {"kind": kind, **dataclasses.asdict(exhibit)}


def from_json(value: Mapping[str, Any]) -> Exhibit:
    """The inverse of `to_json`. Raises KeyError, TypeError or ValueError where `value` isn't of its making."""
    fields = {name: _frozen(part) for name, part in value.items() if name != "kind"}
    if value["kind"] == "table":
        return Table(**fields)
    fields["words"] = Words(**fields["words"])
    if value["kind"] == "lines":
        panels = [Panel(p["title"], tuple(Line(**line) for line in p["lines"])) for p in fields["panels"]]
        return Lines(**{**fields, "panels": tuple(panels)})
    if value["kind"] == "dots":
        return Dots(**{**fields, "rows": tuple(Dot(**row) for row in fields["rows"])})
    if value["kind"] in ("heat", "grid"):
        return _KINDS[value["kind"]](**fields)
    raise ValueError(f"kind={value['kind']!r} must be one of {', '.join(_KINDS)}")


def _frozen(value: Any) -> Any:
    """Lists as tuples, at every depth."""
    if isinstance(value, Mapping):
        return {name: _frozen(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_frozen(part) for part in value)
    return value
