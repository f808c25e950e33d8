"""The task of translating sentences: Multi30k, or a user's own pairs of sentences."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import FileError
from gru_research.data import DataDirs
from gru_research.data.padding import padded
from gru_research.masks import length_mask
from gru_research.spec import Generation, Spec
from gru_research.types import Batch

from ..application import Application, without_metric
from ..base import Stored, Task
from . import metrics, trivial
from .answers import Decode, Encode, Generate
from .examples import collect
from .pieces import BEGIN, BYTES, END, Pieces, learn_pieces
from .published import PUBLISHED
from .reading import Pairs, Source

FORM = "translation"
USE = "translation"
PENALTIES = (0.6, 1.0)
"""The length penalties among which validation chooses."""
SPARE = 10
"""A translation may have this many pieces more than the longest one in training."""


def translation(
    direction: Literal["de-en", "en-de"] = "de-en",
    test_set: Literal["2016", "2017"] = "2016",
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.05,
    test_share: float = 0.05,
    seed: int = 0,
    vocabulary: int = 6000,
    longest: int = 100,
    smoothing: float = 0.1,
    beams: int = 5,
    dirs: DataDirs = DataDirs(),
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Translate a sentence: captions of pictures from German to English, or your own pairs of sentences.

    The metric "bleu" is sacrebleu's BLEU of the translations as texts; "chrf" and "bleu_lowercase" are beside it. The
    loss is the cross-entropy of the pieces of the right translation. "nll" is the same without smoothing; validation
    during training uses it, as generating takes long. After training, validation chooses each cell's decoder by BLEU:
    greedy, or a beam search with one of several length penalties. The test set is decoded once, by that one.

    Texts keep their case, and are divided into pieces of words, which are learned on the training texts of both
    languages together.

    Args:
      direction: from and to which language of Multi30k.
      test_set: Multi30k's test set, the pictures of 2016 or of 2017.
      train: two files of your own, "a.de,b.en", of which line n of one translates line n of the other, in place of
        Multi30k.
      validation, test: files like `train`; "" takes shares of `train`, drawn by `seed`. Without `train`, `test` alone
        tests on your files what Multi30k trains.
      vocabulary: the most pieces.
      longest: the most pieces of a sentence. Longer pairs are left out of training, and refused elsewhere; 0: no limit.
      smoothing: the share of the target distribution that is uniform over all pieces.
      beams: the beams of the search; 1: greedy alone.
      learned: facts from an earlier run. Data are then read only when they are loaded.

    Trivial answers: the source itself, and the translation of the most similar training sentence.
    """
    _check(vocabulary, longest, smoothing, beams)
    held: list[Mapping[str, Pairs]] = []  # the sets for the first load, freed afterwards
    if not learned:
        named = {"train": train, "validation": validation, "test": test}
        source = Source.of(direction, test_set, named, validation_share, test_share, seed)
        sets = source.read(dirs)
        held.append(sets)
        learned = {"source": dataclasses.asdict(source), **_learned(sets, vocabulary, longest)}
    source, pieces = Source.from_json(learned["source"]), Pieces(learned["pieces"])

    def read() -> dict[str, Any]:
        sets = held.pop() if held else source.read(dirs)
        return {split: encoded(pairs, pieces, learned["longest"], split != "train") for split, pairs in sets.items()}

    return _make(source, pieces, learned, read, smoothing, beams)


def _check(vocabulary: int, longest: int, smoothing: float, beams: int) -> None:
    least = BYTES + 3 + 1
    if not least <= vocabulary < 2**16:
        raise ValueError(f"vocabulary={vocabulary!r} must be from {least} to {2**16 - 1}")
    if longest < 0:
        raise ValueError(f"longest={longest!r} must be 0 (no limit) or more")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing={smoothing!r} must be from 0 to below 1")
    if beams < 1:
        raise ValueError(f"beams={beams!r} must be at least 1")


def _learned(sets: Mapping[str, Pairs], vocabulary: int, longest: int) -> dict[str, Any]:
    """Returns the facts learned from the data, as plain JSON."""
    train = sets["train"]
    model = learn_pieces([*train.source, *train.target], vocabulary)
    lengths = [np.array([len(row) for row in Pieces(model).encode(texts)]) for texts in (train.source, train.target)]
    fits = np.maximum(*lengths) <= (longest or np.inf)
    if not fits.any():
        raise ValueError(f"longest={longest!r} pieces leaves no pair for training: choose more")
    dropped = int((~fits).sum())
    why = f"they have more than longest={longest} pieces"
    return {
        "pieces": model,
        "longest": longest,
        "steps": int(lengths[0][fits].max()),
        "answer": int(lengths[1][fits].max()) + 1 + SPARE,
        "words": max(len(text.split()) for text in sets["test"].source),
        "warnings": [f"{dropped:,} of {len(train):,} training pairs are left out: {why}"] if dropped else [],
        "trivial": trivial.trivial_answers((train.source, train.target), (sets["test"].source, sets["test"].target)),
    }


def encoded(pairs: Pairs, pieces: Pieces, longest: int, whole: bool) -> dict[str, np.ndarray]:
    """Returns the pieces of sentences, padded with 0, with their numbers: `source`, `source_length`, `target` and
    `target_length`, and `words`, the number of words of the source.

    Raises:
      FileError: a sentence has more than `longest` pieces, where the set must be `whole`. Otherwise its pair is left
        out.
    """
    found = [pieces.encode(texts) for texts in (pairs.source, pairs.target)]
    fits = [not longest or max(len(a), len(b)) <= longest for a, b in zip(*found, strict=True)]
    if whole and not all(fits):
        n = fits.index(False)
        most = max(len(rows[n]) for rows in found)
        raise FileError(
            f"{pairs.place(n)}: the pair has {most} pieces, more than longest={longest}: raise task.longest, or take "
            f"it out"
        )
    kept = np.flatnonzero(fits).tolist()
    arrays: dict[str, np.ndarray] = {}
    for name, rows in zip(("source", "target"), found, strict=True):
        own = [rows[n] for n in kept]
        arrays[name], arrays[f"{name}_length"] = padded(own, np.uint16, 1), np.array([*map(len, own)], np.int32)
    arrays["words"] = np.array([len(pairs.source[n].split()) for n in kept], np.int32)
    return arrays


def _prepare(batch: Batch) -> Batch:
    """Returns tokens as int32. Targets end with `END`, and their padding is `END`."""
    target, length = batch["target"].astype(jnp.int32), batch["target_length"]
    target = jnp.pad(target, ((0, 0), (0, 1)))
    return {
        "inputs": batch["source"].astype(jnp.int32),
        "lengths": batch["source_length"],
        "targets": jnp.where(length_mask(length, target.shape[1]), target, END),
        "target_lengths": length + 1,
        "words": batch["words"],
    }


def _make(source: Source, pieces: Pieces, learned: Mapping[str, Any], read: Any, smoothing: float, beams: int) -> Task:
    names = pieces.names
    found = metrics.metrics_of(pieces, learned["words"])
    tokens = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.int32)
    spec = Spec(
        {
            "inputs": tokens((learned["steps"],)),
            "lengths": tokens(()),
            "targets": tokens((learned["answer"] - SPARE,)),
            "target_lengths": tokens(()),
        },
        output_size=len(names),
        answers="generated",
        vocabulary=len(names),
        generation=Generation(BEGIN, END, learned["answer"]),
    )
    searches = [{"name": "beam_search", "beams": beams, "length_penalty": penalty} for penalty in PENALTIES]
    return Task(
        name=f"{FORM}-{source.name}",
        data=Stored(read=read, prepare=_prepare, padded={"source": "source_length", "target": "target_length"}),
        spec=spec,
        loss=functools.partial(metrics.loss, smoothing),
        metrics=found,
        metric="bleu",
        validation_metric="nll",
        trivial={name: values["bleu"] for name, values in learned["trivial"].items()},
        answer={"name": "greedy"},
        answer_choices=({"name": "greedy"}, *searches) if beams > 1 else (),
        length=learned["steps"],
        scaling="It is the data's: longer sentences say more.",
        encode=Encode(pieces),
        decode=Decode(pieces),
        vocabularies={"inputs": names, "targets": names},
        learned=learned,
        files=source.paths,
        warnings=tuple(learned["warnings"]),
        application=Application(
            form=FORM,
            use=USE,
            trivial_metrics=without_metric(learned["trivial"], "bleu"),
            published=PUBLISHED.get(source.published, ()),
            breakdowns=metrics.breakdowns_of(found),
            examples=functools.partial(collect, pieces),
            generate=Generate(),
            samples=True,
            sampling={"length": learned["answer"]},
        ),
    )
