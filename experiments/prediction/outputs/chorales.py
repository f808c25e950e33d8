"""Writes music in four voices: MIDI, sound, and a picture of the piano roll."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.prediction.outputs import pictures
from gru_research.config import UserError
from gru_research.data.chorales import SILENT, VOICES
from gru_research.data.own_files import write_midi
from gru_research.report import exhibits
from gru_research.report.synthesis import synthesise, wav
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
    paths[1].write_bytes(wav(synthesise(pitches, _SECONDS)))
    _draw(paths[2], pitches, int(answer["given"]))
    return paths


def _draw(path: Path, pitches: np.ndarray, given: int) -> None:
    """Draws the pitches `[T, 4]` of each voice over quarters. The given steps are shaded."""
    quarters = tuple((np.arange(len(pitches) + 1) / 4).tolist())
    sounding = np.where(pitches == SILENT, np.nan, pitches.astype(float))
    held = np.concatenate([sounding, sounding[-1:]])  # the last step is as long as the others
    lines = tuple(
        exhibits.Line(name, voice, quarters, exhibits.numbers(held[:, voice]), steps=True)
        for voice, name in enumerate(VOICES)
    )
    x = exhibits.Axis("quarters", limits=(0.0, quarters[-1]))
    drawn_from = (given / 4, quarters[-1]) if 0 < given < len(pitches) else ()
    pictures.save(path, [exhibits.Panel("", lines, x, exhibits.Axis("MIDI pitch"), drawn_from)], panel_inches=2.8)
