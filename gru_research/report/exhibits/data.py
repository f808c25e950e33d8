"""The data of tables and figures on the pages about analyses. Analyses write it to JSON; pages read and draw it.

An exhibit is a `Table`, `Lines`, `Dots`, a `Heat` map or a `Grid`. Non-finite numbers are None: null in JSON, a gap in
a figure, "-" in a table.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from gru_research.tables import Heading, Table

Number: TypeAlias = float | None


@dataclasses.dataclass(frozen=True)
class Line:
    """A line through `x`, `y`, with a band from `low` to `high` if given. `place` selects its colour."""

    label: str
    place: int
    x: tuple[float, ...]
    y: tuple[Number, ...]
    low: tuple[Number, ...] = ()
    high: tuple[Number, ...] = ()


@dataclasses.dataclass(frozen=True)
class Panel:
    """Lines on the same axes, with `title` above them."""

    title: str
    lines: tuple[Line, ...]


@dataclasses.dataclass(frozen=True)
class Words:
    """The texts of a figure: title, text alternative and caption."""

    title: str
    alt: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Lines:
    """A figure of panels below each other, with the same scales.

    Attributes:
      name: the name of the figure's file.
      powers: whether `y` are exponents of ten; the axis then shows powers.
      x_logarithmic: whether the x axis is logarithmic.
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
    """A value with its interval; both ends are None without one. `group` selects colour and mark."""

    label: str
    value: Number
    low: Number = None
    high: Number = None
    group: int = 0


def dot(label: str, estimate: Any, group: int = 0) -> Dot:
    """Makes a `Dot` from (value, low, high), which may be non-finite."""
    value, low, high = numbers(estimate)
    return Dot(label, value, low, high, group)


@dataclasses.dataclass(frozen=True)
class Dots:
    """A figure with a row for each value. `reference` is the value of a line across all rows.

    `groups` names the marks if there are several. `powers` is as in `Lines`, for the values.
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
    """A figure of one sequence: its inputs as lines, and below them a map of each gate over units and steps.

    Attributes:
      inputs: `[T]` by name.
      gates: rows `[H][T]` of numbers from 0 to 1 by name, with units in the order of `units`.
      units: the unit's number in each row.
      readings: further values that a slider shows at each step, by name.
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
    """A map of numbers from 0 to 1 over rows and columns.

    Attributes:
      rows, columns: names `[R]` and `[C]`.
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
    """Converts an array `[N]` to numbers; non-finite ones become None."""
    return tuple(float(v) if v is not None and math.isfinite(v) else None for v in values)


def to_json(exhibit: Exhibit) -> dict[str, Any]:
    """Converts an exhibit to plain JSON."""
    kind = next(name for name, cls in _KINDS.items() if isinstance(exhibit, cls))
    return {"kind": kind, **dataclasses.asdict(exhibit)}


def from_json(value: Mapping[str, Any]) -> Exhibit:
    """Inverts `to_json`. Raises KeyError, TypeError or ValueError if `value` isn't its output."""
    fields = {name: _frozen(part) for name, part in value.items() if name != "kind"}
    if value["kind"] == "table":
        if "headings" in fields:  # files had no alignments once
            aligned = enumerate(fields.pop("headings"))
            fields["columns"] = [{"text": text, "align": "right" if i else "left"} for i, text in aligned]
        return Table(**{**fields, "columns": tuple(Heading(**column) for column in fields["columns"])})
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
    """Converts lists to tuples, at every depth."""
    if isinstance(value, Mapping):
        return {name: _frozen(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_frozen(part) for part in value)
    return value
