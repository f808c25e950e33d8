"""Music that a model composed and harmonised: piano rolls, and statistics beside the test set's."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gru_research import tables
from gru_research.report import exhibits, formatting, results
from gru_research.report.synthesis import synthesise, wav

Arrays = Mapping[str, np.ndarray]
VOICES = ("soprano", "alto", "tenor", "bass")
PER_QUARTER = 4
SIXTEENTH = 60 / 80 / PER_QUARTER
"""Seconds of a step, at 80 quarters a minute."""
RATE = 8000
"""Samples a second of the sounds. With 8 bits a sample a minute takes 640 kB of the page."""
PIECE = "piece/"


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns the table of statistics, and for each cell a piano roll and sounds, from the arrays of the task's
    `Examples`."""
    del task
    shown: list[exhibits.Exhibit] = [_statistics(cells)]
    for label, arrays in cells.items():
        shown += [_roll(label, arrays), *_sounds(label, arrays)]
    return shown


def _sounds(label: str, arrays: Arrays) -> list[exhibits.Sound]:
    """Returns the cell's pieces as sounds. The test piece is in the pictures alone."""
    found = []
    for name, pitches in arrays.items():
        title = name.removeprefix(PIECE)
        if name.startswith(PIECE) and title != "test" and len(pitches):
            sound = synthesise(np.asarray(pitches), SIXTEENTH, RATE)
            text = base64.b64encode(wav(sound, RATE, bits=8)).decode("ascii")
            seconds = len(sound) / RATE
            words = exhibits.Words(
                f"{label}, {title}", f"{title} by {label}, {seconds:.0f} seconds", "A plain synthesiser."
            )
            found.append(exhibits.Sound(f"sound-{label}-{title}", words, text))
    return found


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
