"""Music in four voices, note by note: Bach's chorales, or pieces of the user's own."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import DataDirs, load
from gru_research.spec import Spec
from gru_research.types import Batch

from ..application import Application, Breakdown, Published
from ..base import Stored, Task
from .examples import Examples
from .generation import Generate
from .inputs import Decoder, Encoder
from .metrics import BY_PLACE, BY_VOICE, note_metrics, note_nll
from .own_music import OwnMusic
from .pieces import Alphabet, Piece, alphabet_of, from_stored, in_all_keys, ranges_of, rows
from .trivial import trivial_answers

USE = "music generation"
SPLITS = ("train", "validation", "test")
Pieces = Mapping[str, Sequence[Piece]]


@dataclasses.dataclass(frozen=True)
class DecodingDefaults:
    """How pieces are generated where nothing else is asked for: the fields of `runs.predict.Sampling`."""

    length: int = 64
    temperature: float = 0.9
    top_k: int = 0
    top_p: float = 0.95
    random_seed: int = 0


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is learned from the data, as plain JSON.

    Attributes:
      lowest, highest: the lowest and the highest pitch of all sets. This fixes the alphabet alone.
      ranges: the lowest and the highest pitch of each voice in training.
      length: the number of tokens of the longest training row.
      trivial: the test metrics of trivial answers, by answer and metric.
    """

    lowest: int
    highest: int
    ranges: Sequence[Sequence[int]]
    length: int
    trivial: Mapping[str, Mapping[str, float]]

    @property
    def alphabet(self) -> Alphabet:
        return Alphabet(self.lowest, self.highest)

    @property
    def voice_ranges(self) -> list[tuple[int, int]]:
        return [(low, high) for low, high in self.ranges]


def chorales(
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    segment: int = 64,
    context: int = 8,
    transpose: bool = True,
    threshold: float | None = None,
    learned: Mapping[str, Any] | None = None,
    dirs: DataDirs = DataDirs(),
) -> Task:
    """Predict the next note of music in four voices.

    A piece is a stream of notes: in each sixteenth soprano, alto, tenor and bass in turn. A token is a pitch or
    silence; a note that is held and one that is struck again are the same. The metric "nll" is the negative
    log-likelihood of a note in nats; "nll_frame" is the sum of the four notes of a sixteenth.

    Training pieces are heard in every transposition that keeps each voice within its range in training; `transpose`
    turns this off. They are cut into segments of at most `segment` frames (0: whole pieces), which start from the
    initial state. Up to `context` frames before a segment are read without being predicted. Validation and test pieces
    are whole and not transposed.

    `train` names pieces of the user's own: a file or a folder of MIDI files and JSON lists. `validation` and `test` may
    name others; by default they are shares of the pieces, drawn by `seed`.

    The trivial answers are shares of notes: of each voice, and of each voice after its last note.
    """
    for field, value in {"segment": segment, "context": context}.items():
        if value < 0:
            raise ValueError(f"{field}={value!r} must be 0 or more")
    if threshold is not None and threshold <= 0:
        raise ValueError(f"threshold={threshold!r} must be above 0")
    if learned:
        own = OwnMusic.of(learned["own"])
    else:
        own = OwnMusic(train, validation, test, validation_share, test_share, seed)
    # Read once and kept, because pieces are small and the examples of each cell need those of training.
    source = functools.cache(own.pieces if own.train else lambda: _stored(dirs))
    cut = functools.partial(_rows, segment=segment, context=context, transpose=transpose)
    if not learned:
        facts = _learn(source(), cut)
        warnings = own.warnings() if own.train else []
        learned = {"facts": dataclasses.asdict(facts), "own": own.as_json(), "warnings": warnings}
    return _task(
        f"chorales-{own.name}" if own.train else "chorales",
        Facts(**learned["facts"]),
        read=lambda alphabet: cut(source(), alphabet),
        train=lambda: source()["train"],
        heard=lambda: _heard(source()["train"], transpose),
        threshold=threshold,
        learned=learned,
        files=own.paths(),
        warnings=tuple(learned["warnings"]),
    )


def _stored(dirs: DataDirs) -> dict[str, list[Piece]]:
    return {split: from_stored(arrays) for split, arrays in load("chorales", dirs).items()}


def _rows(
    pieces: Pieces, alphabet: Alphabet, *, segment: int, context: int, transpose: bool
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the three sets as rows of tokens."""
    return {
        "train": rows(_heard(pieces["train"], transpose), alphabet, segment, context),
        **{split: rows(pieces[split], alphabet) for split in SPLITS[1:]},
    }


def _heard(train: Sequence[Piece], transpose: bool) -> Sequence[Piece]:
    """Returns the pieces that a model hears: the training pieces, in all keys if they are transposed."""
    return in_all_keys(train, ranges_of(train)) if transpose else train


def _learn(pieces: Pieces, cut: Callable[..., Mapping[str, Mapping[str, np.ndarray]]]) -> Facts:
    alphabet = alphabet_of([piece for split in SPLITS for piece in pieces[split]])
    return Facts(
        lowest=alphabet.lowest,
        highest=alphabet.highest,
        ranges=[list(of_voice) for of_voice in ranges_of(pieces["train"])],
        length=cut(pieces, alphabet)["train"]["tokens"].shape[1] - 1,
        trivial=trivial_answers(pieces["train"], pieces["test"], alphabet),
    )


def _task(
    name: str,
    facts: Facts,
    *,
    read: Callable[[Alphabet], Any],
    train: Callable[[], Sequence[Piece]],
    heard: Callable[[], Sequence[Piece]],
    **fields: Any,
) -> Task:
    """Returns the task. `read` returns the sets as rows, `train` the training pieces, `heard` what models hear."""
    alphabet, sampling = facts.alphabet, DecodingDefaults()
    tokens = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.int32)
    example = {
        "inputs": tokens((facts.length,)),
        "targets": tokens((facts.length,)),
        **{field: tokens(()) for field in ("lengths", "clock", "context")},
    }
    return Task(
        name=name,
        data=Stored(read=lambda: read(alphabet), prepare=_prepare),
        spec=Spec(example, alphabet.size, "every", vocabulary=alphabet.size + 1),
        loss=note_nll,
        metrics=note_metrics(),
        metric="nll",
        trivial={answer: metrics["nll"] for answer, metrics in facts.trivial.items()},
        length=facts.length,
        scaling="Shorter training segments hide what is further back; test pieces are whole, so that trivial answers "
        "don't change.",
        encode=Encoder(alphabet),
        decode=Decoder(alphabet),
        application=Application(
            form="chorales",
            use=USE,
            trivial_metrics=facts.trivial,
            published=PUBLISHED if name == "chorales" else (),
            breakdowns=BREAKDOWNS,
            examples=Examples(alphabet, facts.voice_ranges, sampling, train, heard),
            generate=Generate(alphabet),
            samples=True,
            sampling=dataclasses.asdict(sampling),
        ),
        **fields,
    )


def _prepare(batch: Batch) -> Batch:
    """Converts `tokens [B, 1 + T]` to `inputs` and `targets [B, T]`, with `lengths`, `clock` and `context [B]`."""
    tokens = batch["tokens"].astype(jnp.int32)
    return {
        "inputs": tokens[:, :-1],
        "targets": tokens[:, 1:],
        "lengths": batch["length"],
        "clock": batch["clock"],
        "context": batch["context"],
    }


PUBLISHED = (
    Published(
        "TonicNet, a GRU (Peracha 2019)",
        {"nll": 0.220},
        protocol="validation pieces; a mean over five tokens a sixteenth, of which one is the chord, which the model "
        "predicts first",
        source="arXiv 1911.11775",
    ),
)
BREAKDOWNS = {
    "voices": Breakdown("negative log-likelihood by voice", "voice", BY_VOICE, "nats a note"),
    "sixteenths": Breakdown(
        "negative log-likelihood by the place in the beat", "sixteenth of the beat", BY_PLACE, "nats a note"
    ),
}
