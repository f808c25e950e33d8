"""Music that a model composed and harmonised: piano rolls, and statistics beside the test set's."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gru_research import tables
from gru_research.report import exhibits, formatting, results

Arrays = Mapping[str, np.ndarray]
VOICES = ("soprano", "alto", "tenor", "bass")
PER_QUARTER = 4
PIECE = "piece/"


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns the table of statistics and a piano roll for each cell, from the arrays of the task's `Examples`."""
    del task
    return [_statistics(cells), *(_roll(label, arrays) for label, arrays in cells.items())]


def _statistics(cells: Mapping[str, Arrays]) -> tables.Table:
    first = next(iter(cells.values()))
    names = [name.partition("/")[2] for name in first if name.startswith("reference/")]
    columns = [
        tables.Column("statistic", lambda name: name, "left"),
        *(tables.Column(label, _value(arrays, "composed")) for label, arrays in cells.items()),
        tables.Column("test set", _value(first, "reference")),
    ]
    caption = (
        "Composed pieces, as many and as long as the test set's, beside the test set. Distances of the composed pieces "
        "are to the test set; the test set's own are to training. Parallels are pairs of voices per 100 chord changes; "
        "copied frames are the longest runs that a piece shares with training."
    )
    return tables.tabulate(columns, zip(names), caption)


def _value(arrays: Arrays, of: str) -> Callable[[str], str]:
    return lambda name: formatting.number(float(arrays[f"{of}/{name}"]), 3)


def _roll(label: str, arrays: Arrays) -> exhibits.Plot:
    pieces = {name.removeprefix(PIECE): array for name, array in arrays.items() if name.startswith(PIECE)}
    x, y = exhibits.Axis("quarters"), exhibits.Axis("MIDI pitch")
    panels = tuple(exhibits.Panel(name, _voices(pitches), x, y) for name, pitches in pieces.items())
    words = exhibits.Words(
        f"Piano rolls of {label}",
        f"Piano rolls of four voices in {len(panels)} pieces: {', '.join(pieces)}.",
        f'Pieces of {label} with seed {int(arrays["seed"])}. "test" is the beginning of the first test piece, and '
        '"harmonised" is its soprano with three voices by the model.',
    )
    return exhibits.Plot(f"pieces-{re.sub(r'[^A-Za-z0-9_.-]+', '_', label)}", words, panels)


def _voices(pitches: np.ndarray) -> tuple[exhibits.Line, ...]:
    quarters = tuple(float(step) / PER_QUARTER for step in range(len(pitches)))
    sounding = np.where(pitches < 0, np.nan, pitches.astype(float))
    return tuple(
        exhibits.Line(name, voice, quarters, exhibits.numbers(sounding[:, voice]), steps=True)
        for voice, name in enumerate(VOICES)
    )
