"""The data of tables, figures and sounds: every figure of a report is one of these before it is drawn.

An exhibit has data, labels and units, and nothing of Matplotlib. Analyses write exhibits to JSON; pages read and draw
them. A number that is None is missing: null in JSON, a gap in a figure, "-" in a table.
"""

import dataclasses
import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from gru_research.tables import Table

Number: TypeAlias = float | None
MarkKind = Literal["filled", "open", "ring", "cross", "bar"]
ReferenceKind = Literal["level", "baseline", "trivial", "threshold"]
Scale = Literal["linear", "log", "powers", "fitted", "fitted log", "rate", "updates", "seconds", "share", "score"]


@dataclasses.dataclass(frozen=True)
class Words:
    """The texts of a figure: title, text alternative and caption."""

    title: str
    alt: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Reference:
    """A value that an axis marks with a line across the figure. It is in the legend if it has a `label`."""

    value: float
    label: str = ""
    kind: ReferenceKind = "level"


def level(value: Number) -> tuple[Reference, ...]:
    """Returns the only reference of an axis; none if `value` is None."""
    return () if value is None else (Reference(float(value)),)


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis of a figure.

    Attributes:
      scale: what the axis measures, which decides its limits and the form of its numbers:
        "linear", "log": plain numbers;
        "powers": exponents of ten, shown as powers;
        "fitted", "fitted log": a metric. Limits include close references; a reference far away is an arrow at the edge.
          "fitted log" is logarithmic if all values are above 0;
        "rate": a learning rate, logarithmic;
        "updates", "seconds": the duration of training;
        "share": a share from 0 to 1, shown in percent;
        "score": a normalised score, from 0 (the baseline) to 1 (the threshold).
      limits: the least and the greatest value to show; empty: the limits of the data.
      ticks: values and their labels; empty: chosen by the scale.
    """

    label: str
    scale: Scale = "linear"
    references: tuple[Reference, ...] = ()
    limits: tuple[float, ...] = ()
    ticks: tuple[tuple[float | str, ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Mark:
    """A single point. A "ring" is a filled mark in a ring, a "bar" a short vertical line. An infinite `y` is drawn at
    that edge of the axes."""

    x: float
    y: float
    kind: MarkKind = "filled"


@dataclasses.dataclass(frozen=True)
class Line:
    """A line through `x`, `y`, which is in the legend if it has a `label`.

    Attributes:
      place: the place of its cell, or the kind of a reference; it selects colour, line style and mark.
      low, high: the ends of a band, if any. On a "fitted" axis an infinite end is drawn at the edge.
      seeds: further values `[S][T]` at each x, as thin lines.
      marks: single points; empty: some points of the line are marked.
      whiskers: whether the band is a vertical line at each x.
      steps: whether `y` stays the same until the next x.
    """

    label: str
    place: int | ReferenceKind
    x: tuple[float, ...] = ()
    y: tuple[Number, ...] = ()
    low: tuple[Number, ...] = ()
    high: tuple[Number, ...] = ()
    seeds: tuple[tuple[Number, ...], ...] = ()
    marks: tuple[Mark, ...] = ()
    whiskers: bool = False
    steps: bool = False


@dataclasses.dataclass(frozen=True)
class Panel:
    """Lines over two axes, with `title` above them. The area outside `drawn_from`, a range of x, is shaded."""

    title: str
    lines: tuple[Line, ...]
    x: Axis
    y: Axis
    drawn_from: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Plot:
    """A figure of panels. Panels with equal axes share them.

    Attributes:
      name: the name of the figure's file.
      columns: the number of panels beside each other.
      panel_inches: the height of a panel.
      keys: legend entries of marks: their kinds and texts.
    """

    name: str
    words: Words
    panels: tuple[Panel, ...]
    columns: int = 1
    panel_inches: float = 2.5
    keys: tuple[tuple[str, ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Dot:
    """A value with its interval; both ends are None without one. `group` selects colour and mark.

    `seeds` are single values, drawn as open marks above it. `remark` follows the label on a new line.
    """

    label: str
    value: Number
    low: Number = None
    high: Number = None
    group: int = 0
    seeds: tuple[Number, ...] = ()
    remark: str = ""


def dot(label: str, estimate: Any, group: int = 0) -> Dot:
    """Makes a `Dot` from (value, low, high), which may be non-finite."""
    value, low, high = numbers(estimate)
    return Dot(label, value, low, high, group)


@dataclasses.dataclass(frozen=True)
class Dots:
    """A figure with a row for each value, over one `axis`. `groups` names the marks if there are several."""

    name: str
    words: Words
    rows: tuple[Dot, ...]
    axis: Axis
    groups: tuple[str, ...] = ()
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Bar:
    """The lengths of a row's bars, one for each quantity, and the texts at their ends."""

    label: str
    place: int
    lengths: tuple[Number, ...]
    texts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Bars:
    """A figure of horizontal bars: a row for each cell, and beside each other the `quantities`."""

    name: str
    words: Words
    rows: tuple[Bar, ...]
    quantities: tuple[str, ...]
    title: str = ""


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
      texts: `[R][C]`, two lines each, for a map of few and large fields; empty: fields without text.
    """

    name: str
    words: Words
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Number, ...], ...]
    row_label: str = ""
    column_label: str = ""
    texts: tuple[tuple[str, ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Sound:
    """A sound that the page plays.

    Attributes:
      wav: the bytes of a WAV file, as base64.
    """

    name: str
    words: Words
    wav: str


Figure: TypeAlias = Plot | Dots | Bars | Heat | Grid
Exhibit: TypeAlias = Table | Figure | Sound
_KINDS: Mapping[str, type] = {kind.__name__.lower(): kind for kind in (Table, Plot, Dots, Bars, Heat, Grid, Sound)}


def numbers(values: Any) -> tuple[Number, ...]:
    """Converts an array `[N]` to numbers; non-finite ones become None."""
    return tuple(float(v) if v is not None and math.isfinite(v) else None for v in values)


def to_json(exhibit: Exhibit) -> dict[str, Any]:
    """Converts an exhibit to plain JSON. An infinite number becomes the text "inf" or "-inf"."""
    return {"kind": type(exhibit).__name__.lower(), **_plain(dataclasses.asdict(exhibit))}


def from_json(value: Mapping[str, Any]) -> Exhibit:
    """Inverts `to_json`. Raises KeyError, TypeError or ValueError if `value` isn't its output."""
    fields = _current(value)
    kind = fields.pop("kind")
    if kind not in _KINDS:
        raise ValueError(f"kind={kind!r} must be one of {', '.join(_KINDS)}")
    return _read(_KINDS[kind], fields)


def _current(value: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the JSON with what older files lack: alignments of tables, axes of figures."""
    match value:
        case {"kind": "table", "headings": headings, **rest}:
            columns = [{"text": text, "align": "right" if i else "left"} for i, text in enumerate(headings)]
            return {"kind": "table", "columns": columns, **rest}
        case {"kind": "lines", "x_label": x, "x_logarithmic": logarithmic, "y_label": y, "powers": powers, **rest}:
            axes = {
                "x": {"label": x, "scale": "log" if logarithmic else "linear"},
                "y": {"label": y, "scale": "powers" if powers else "linear"},
            }
            return {"kind": "plot", **rest, "panels": [panel | axes for panel in rest["panels"]]}
        case {"kind": "dots", "x_label": x, "reference": at, "powers": powers, **rest}:
            references = [] if at is None else [{"value": at}]
            axis = {"label": x, "scale": "powers" if powers else "linear", "references": references}
            return {"kind": "dots", "axis": axis, **rest}
    return dict(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _read(expected: Any, value: Any) -> Any:
    """Converts JSON to the type `expected`: a dataclass, a tuple, a mapping or a scalar."""
    if dataclasses.is_dataclass(expected):
        types = typing.get_type_hints(expected)
        return expected(**{name: _read(types[name], part) for name, part in value.items()})  # type: ignore[operator]
    if isinstance(value, Mapping):
        return {name: _read(typing.get_args(expected)[1], part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_read(typing.get_args(expected)[0], part) for part in value)
    return float(value) if isinstance(value, str) and expected in (float, Number) else value
