"""Transcribes speech with connectionist temporal classification (CTC)."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import FileError
from gru_research.data import DataDirs
from gru_research.data.padding import padded
from gru_research.spec import Spec
from gru_research.types import Batch

from ..application import Application, Breakdown, without_metric
from ..base import Stored, Task
from . import examples, metrics, published
from .answers import Decode, Encode, Transcribe, seconds
from .features import MELS, Front
from .options import Options, read_sets
from .trivial import trivial_answers
from .utterances import Sets, Units, Utterance, least_steps

FORM = "speech"
USE = "speech recognition"
_GROUPS = {
    True: {str(count): (count, count) for count in range(3, 8)},
    False: {"1": (1, 1), "2_to_4": (2, 4), "5_and_more": (5, 10**9)},
}
"""Ranges of the number of words by name, of digits and of other transcripts."""
_LONGER = 1.5
"""The most labels that beam search gives a transcript, as a multiple of the longest transcript's in the data."""


def speech(
    dataset: Literal["digits", "an4"] = "digits",
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    speaker: str = "george",
    strings: int = 3000,
    speed: float = 0.15,
    unit: Literal["auto", "characters", "words"] = "auto",
    stack: int = 0,
    normalise: Literal["utterance", "running"] = "utterance",
    beams: int = 16,
    language_weight: float = 0.5,
    dirs: DataDirs = DataDirs(),
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Transcribe an utterance: a model has a label or a blank at each step, and CTC sums over all alignments.

    Metrics are error rates in per cent, pooled over the set: "der" of digits, or "wer" of words and "cer" of
    characters, of the most probable path; "der_beam" and so on are those of a prefix beam search with a bigram of the
    training transcripts. The loss is in nats a label.

    Inputs are log-mel energies of sound at 8 kHz, 40 for each 10 ms, or AN4's cepstra with their differences.

    Args:
      dataset: "digits", strings of 3 to 7 digits by a speaker that training lacks, built of the recordings in
        `data.fsdd`; or "an4", spelled words and numbers.
      train: a table of your own (.tsv) in place of `dataset`, with the columns `path`, a WAV file, and `transcript`.
      validation, test: tables like `train`; "" takes shares of `train`, drawn by `seed`, instead.
      seed: of these shares, of AN4's validation speakers, and of the strings' digits, gaps, gain and noise.
      speaker: the digits' speaker in the test; the next one in the alphabet is for validation, the rest for training.
      strings: the number of training strings of digits.
      speed: the largest change of speed and pitch of a training string of digits, as a share.
      unit: what a label is; "auto": a word for digits, otherwise a character.
      stack: the number of frames in an input; 0: 3 for digits, otherwise 2.
      normalise: features by their mean and standard deviation over the "utterance", or over the frames up to each one,
        "running", as a stream must.
      beams: the number of prefixes in beam search.
      language_weight: the power of the bigram's probability there.
      learned: facts from an earlier run. Data are then read only when they are loaded.

    Trivial answers: the empty transcript and the most frequent one; for digits also the nearest training recording,
    with the digits cut apart.
    """
    options = Options(
        dataset="" if train else dataset, train=train, validation=validation, test=test,
        validation_share=validation_share, test_share=test_share, seed=seed, speaker=speaker, strings=strings,
        speed=speed, unit=unit, stack=stack, normalise=normalise, beams=beams, language_weight=language_weight,
    )  # fmt: skip
    held: list[Sets] = []  # the sets for the first load, freed afterwards
    if not learned:
        read = read_sets(options, dirs)
        held.append(framed(options, read.sets))
        learned = _learned(options, held[0], read.trivial)
    facts = _Facts(options, learned)

    def load() -> dict[str, Any]:
        return facts.arrays(held.pop() if held else framed(options, read_sets(options, dirs).sets))

    return _make(facts, load)


@dataclasses.dataclass(frozen=True)
class _Facts:
    """The options and what was learned from the data, as plain JSON."""

    options: Options
    learned: Mapping[str, Any]

    @property
    def units(self) -> Units:
        return Units(tuple(self.learned["units"]), self.options.words)

    @property
    def encode(self) -> Encode:
        front = Front(
            self.options.frames, self.options.normalise == "running", tuple(self.learned["mean"]),
            tuple(self.learned["std"]),
        )  # fmt: skip
        return Encode(front, self.options.cepstra)

    @property
    def beam(self) -> metrics.Beam:
        rows = tuple(tuple(row) for row in self.learned["bigram"])
        longest = int(_LONGER * self.learned["labels"]) + 1
        return metrics.Beam(rows, self.options.beams, self.options.language_weight, longest)

    @property
    def kind(self) -> str:
        """The name of the metric."""
        return "der" if self.options.dataset == "digits" else "wer"

    @property
    def groups(self) -> dict[str, tuple[int, int]]:
        return {name: (low, high) for name, (low, high) in self.learned["groups"].items()}

    def arrays(self, sets: Sets) -> dict[str, dict[str, np.ndarray]]:
        """Returns the three sets, from frames: `inputs` float16 `[N, T, I]` and `targets` int16 `[N, U]`, padded with
        0, and their `lengths` and `target_lengths`."""
        return {split: self._set(utterances) for split, utterances in sets.items()}

    def _set(self, utterances: Sequence[Utterance]) -> dict[str, np.ndarray]:
        units, front = self.units, self.encode.front
        labels = [units.labels(one.transcript, one.place) for one in utterances]
        inputs = [front.inputs(one.content) for one in utterances]
        for one, numbers, steps in zip(utterances, labels, inputs, strict=True):
            check_fit(one, numbers, len(steps))
        return {
            "inputs": padded(inputs, np.float16, self.learned["steps"]),
            "lengths": np.array([len(row) for row in inputs], np.int32),
            "targets": padded(labels, np.int16, self.learned["labels"]),
            "target_lengths": np.array([len(row) for row in labels], np.int32),
        }


def framed(options: Options, sets: Sets) -> Sets:
    """Returns the sets with the frames `[T, F]` of each utterance as its content."""
    encode = Encode(Front(options.frames), options.cepstra)
    return {
        split: [one._replace(content=encode.frames(one.content)) for one in utterances]
        for split, utterances in sets.items()
    }


def check_fit(utterance: Utterance, labels: Sequence[int], steps: int) -> None:
    """Raises FileError for a transcript with more labels than steps, or no room for the blanks between equal labels."""
    needed = least_steps(labels)
    if needed > steps:
        raise FileError(
            f"{utterance.place or 'the data set'}: the transcript {utterance.transcript[:40]!r} needs {needed:,} "
            f"steps, and the sound has {steps:,}"
        )


def _learned(options: Options, sets: Sets, nearest: Mapping[str, float]) -> dict[str, Any]:
    """Returns the facts learned from the data, from frames, as plain JSON."""
    train = sets["train"]
    units = Units.learn([one.transcript for one in train], options.words)
    labels = {split: [units.labels(one.transcript, one.place) for one in part] for split, part in sets.items()}
    for split, part in sets.items():
        for one, numbers in zip(part, labels[split], strict=True):
            check_fit(one, numbers, len(one.content) // options.frames)
    whole = np.concatenate([one.content for one in train]).astype(np.float64)
    kinds = ("der",) if options.dataset == "digits" else ("wer",) if options.words else ("wer", "cer")
    answers = trivial_answers(train, sets["test"], kinds)
    answers |= {name: {"der": value} for name, value in nearest.items()}
    counts = {split: {len(one.transcript.split()) for one in sets[split]} for split in ("validation", "test")}
    return {
        "units": list(units.names),
        "mean": whole.mean(0).round(5).tolist(),
        "std": whole.std(0).round(5).tolist(),
        "steps": max(len(one.content) // options.frames for part in sets.values() for one in part),
        "labels": max(len(row) for rows in labels.values() for row in rows),
        "bigram": metrics.bigram(labels["train"], units.size),
        "trivial": answers,
        "groups": {
            name: [low, high]
            for name, (low, high) in _GROUPS[options.dataset == "digits"].items()
            if all(any(low <= count <= high for count in found) for found in counts.values())
        },
    }


def _prepare(batch: Batch) -> Batch:
    types = {"inputs": jnp.float32, "targets": jnp.int32}
    return {name: array.astype(types.get(name, array.dtype)) for name, array in batch.items()}


def _make(facts: _Facts, load: Any) -> Task:
    options, learned, units = facts.options, facts.learned, facts.units
    features = 3 * options.cepstra or MELS
    shapes = {
        "inputs": jax.ShapeDtypeStruct((learned["steps"], options.frames * features), jnp.float32),
        "lengths": jax.ShapeDtypeStruct((), jnp.int32),
    }
    answers, kind, step = learned["trivial"], facts.kind, seconds(options.frames)
    return Task(
        name=f"{FORM}-{options.name}",
        data=Stored(prepare=_prepare, read=load, padded={"inputs": "lengths", "targets": "target_lengths"}),
        spec=Spec(shapes, units.size, "every"),
        loss=metrics.ctc_loss,
        metrics=metrics.metrics_of(units, facts.beam, facts.groups, kind),
        metric=kind,
        trivial={name: values[kind] for name, values in answers.items()},
        length=learned["steps"],
        scaling="It is the data's: a longer utterance has more labels to align.",
        encode=facts.encode,
        decode=Decode(units, step),
        learned=learned,
        files=options.paths(),
        application=Application(
            form=FORM,
            use=USE,
            trivial_metrics=without_metric(answers, kind),
            published=published.AN4 if options.dataset == "an4" else (),
            breakdowns=_breakdowns(facts),
            examples=functools.partial(examples.collect, units, facts.encode.front, step, _prepare),
            generate=Transcribe(facts.beam),
        ),
    )


def _breakdowns(facts: _Facts) -> dict[str, Breakdown]:
    """Returns the error rate by the number of words, where there are several groups."""
    if len(facts.groups) < 2:
        return {}
    what = "digits" if facts.kind == "der" else "words"
    names = {name.replace("_", " "): f"{facts.kind}_{name}" for name in facts.groups}
    unit = f"{'digit' if facts.kind == 'der' else 'word'} error rate, %"
    return {"words": Breakdown(f"errors by the number of {what}", what, names, unit, numeric=what == "digits")}
