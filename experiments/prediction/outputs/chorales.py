"""Writes music in four voices: MIDI, sound, and a picture of the piano roll."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.prediction.outputs.synthesis import synthesise, write_wav
from gru_research.config import UserError
from gru_research.data.chorales import SILENT, VOICES
from gru_research.data.own_files import write_midi
from gru_research.tasks import Task

QUARTERS_PER_MINUTE = 80.0
_SECONDS = 60 / QUARTERS_PER_MINUTE / 4  # of a sixteenth


def write(task: Task, given: Any, answer: Any, stem: Path) -> Sequence[Path]:
    """Writes an answer's `pitches` to STEM.mid, STEM.wav and STEM.png. Raises UserError for a piece without a step."""
    del task, given
    pitches = np.array(answer["pitches"], np.int8).reshape(-1, len(VOICES))
    if not len(pitches):
        raise UserError("the piece has no step to write: ask for more with --length")
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("mid", "wav", "png")]
    write_midi(paths[0], pitches, QUARTERS_PER_MINUTE, VOICES)
    write_wav(paths[1], synthesise(pitches, _SECONDS))
    _draw(paths[2], pitches, int(answer["given"]))
    return paths


def _draw(path: Path, pitches: np.ndarray, given: int) -> None:
    """Draws the pitches `[T, 4]` of each voice over quarters, with a line where the given steps end."""
    from gru_research.report.drawing import figure_style  # imports matplotlib, which takes a second

    figure = figure_style.sheet(3.2)
    axes = figure.add_subplot()
    figure_style.plain(axes)
    quarters = np.arange(len(pitches)) / 4
    for voice, name in enumerate(VOICES):
        line = pitches[:, voice].astype(float)
        sounding = np.where(line == SILENT, np.nan, line)
        axes.hlines(
            sounding, quarters, quarters + 0.25, color=figure_style.style(voice)["color"], linewidth=3, label=name
        )
    if 0 < given < len(pitches):
        axes.axvline(given / 4, color=figure_style.INK, linewidth=1)
    axes.set_xlabel("quarters")
    axes.set_ylabel("MIDI pitch")
    axes.legend(frameon=False, ncols=len(VOICES), loc="lower center", bbox_to_anchor=(0.5, 1))
    figure.savefig(path, dpi=150)
