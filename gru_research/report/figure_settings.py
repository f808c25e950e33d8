"""The settings of all figures: formats, width, size of text, and Matplotlib style."""

import contextlib
import contextvars
import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib
import matplotlib.style

FORMATS = ("png", "pdf", "svg")
WIDTH = 5.2
"""The width of the style "screen" in inches: narrow, so that text is legible on a phone."""

STYLES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "screen": {"figure.figsize": (WIDTH, WIDTH)},
        # For one column of a two-column paper. The font suits its text and comes with Matplotlib.
        "paper": {
            "figure.figsize": (3.3, 3.3),
            "font.family": ["STIXGeneral", "DejaVu Sans"],
            "font.size": 8,
            "mathtext.fontset": "stix",
            "axes.linewidth": 0.6,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
        },
    }
)
_WIDTHS, _FONT_SIZES = (2, 20), (4, 24)
_INCHES_PER_POINT = 0.15  # below this, labels leave no room for the plot


@dataclasses.dataclass(frozen=True)
class FigureSettings:
    """The formats, size and style of all figures of a report.

    Attributes:
      formats: the formats of the files in `figures/`, from `FORMATS`.
      style: a name in `STYLES`, or the path of a Matplotlib style file, `FILE.mplstyle`, which overrides "screen".
      width_inches: the width of a figure; None: the style's. A figure's height scales with its font size.
      font_size: the size of ordinary text in points; other text scales with it. None: the style's.

    Raises:
      ValueError: an unknown format or style, a width or font size out of range, or a style file that can't be read.
    """

    formats: tuple[str, ...] = ("png",)
    style: str = "screen"
    width_inches: float | None = None
    font_size: float | None = None

    def __post_init__(self) -> None:
        if not self.formats:
            raise ValueError(f"formats={self.formats!r} must name at least one of {', '.join(FORMATS)}")
        for name in self.formats:
            if name not in FORMATS:
                raise ValueError(f"formats={name!r} is unknown; known: {', '.join(FORMATS)}")
        for field, bounds in (("width_inches", _WIDTHS), ("font_size", _FONT_SIZES)):
            value = getattr(self, field)
            if value is not None and not bounds[0] <= value <= bounds[1]:
                raise ValueError(f"{field}={value!r} must be from {bounds[0]} to {bounds[1]}")
        points = self._parameters()["font.size"]
        if self.inches < (least := _INCHES_PER_POINT * points):
            raise ValueError(f"width_inches={self.inches:g} must be at least {least:.3g} for text of {points:g} points")

    @property
    def inches(self) -> float:
        """The width of a figure in inches."""
        return float(self._parameters()["figure.figsize"][0])

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Applies these settings, instead of Matplotlib's own, to all figures made and written in the context."""
        token = _CURRENT.set(self)
        try:
            with matplotlib.style.context([self._parameters()], after_reset=True):
                yield
        finally:
            _CURRENT.reset(token)

    def _parameters(self) -> dict[str, Any]:
        found: dict[str, Any] = {"font.size": matplotlib.rcParamsDefault["font.size"], **STYLES["screen"]}
        if self.style in STYLES:
            found |= STYLES[self.style]
        else:
            found |= _read(self.style)
        if self.width_inches is not None:
            found["figure.figsize"] = (self.width_inches, self.width_inches)
        if self.font_size is not None:
            found["font.size"] = self.font_size
        return found


SCREEN = FigureSettings()
_CURRENT = contextvars.ContextVar("figure_settings", default=SCREEN)


def current() -> FigureSettings:
    """Returns the applied settings; `SCREEN` by default."""
    return _CURRENT.get()


def _read(style: str) -> dict[str, Any]:
    """Returns the parameters that a style file sets."""
    path = Path(style)
    if path.suffix != ".mplstyle":
        raise ValueError(f"style={style!r} must be {', '.join(STYLES)} or the path of a FILE.mplstyle")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ValueError(f"style={style!r} can't be read: {getattr(e, 'strerror', None) or e}") from e
    for number, line in enumerate(text.splitlines(), 1):
        # Matplotlib only logs unknown parameters.
        name, separator, _ = re.split(r"(?<!['\"])#", line)[0].partition(":")
        if name.strip() and (not separator or name.strip() not in matplotlib.rcParams):
            raise ValueError(f"style={style!r}, line {number}: {line.strip()!r} sets no parameter of Matplotlib")
    try:
        found = matplotlib.rc_params_from_file(path, fail_on_error=True, use_default_template=False)
    except ValueError as e:
        raise ValueError(f"style={style!r}: {e}") from e
    if found.get("text.usetex"):  # it would interpret labels, file names and "%" as LaTeX
        raise ValueError(f"style={style!r}: text.usetex must be False: labels are shown as they are")
    return {str(name): value for name, value in found.items()}
