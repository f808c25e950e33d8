"""The task of classifying texts: the sentiment of sentences, emotions of comments, or a user's own labels."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from gru_research.data import DataDirs
from gru_research.spec import Spec

from ..application import Application, without_metric
from ..base import Stored, Task, check_share
from . import facts as learning
from . import metrics
from .answers import Encode, decoder
from .examples import collect
from .explanation import explain
from .published import PUBLISHED
from .reading import OUT_OF_SCOPE, Source, Texts

FORM = "sentiment"
USE = "sentiment analysis"


def sentiment(
    dataset: Literal["sst2", "goemotions", "clinc_oos"] = "sst2",
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    text: str = "text",
    label: str = "label",
    separator: str = "",
    min_count: int = 2,
    max_words: int = 60,
    label_threshold: float = 0.5,
    out_of_scope: str = "",
    threshold: float | None = None,
    dirs: DataDirs = DataDirs(),
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Classify a text: one label a text (cross-entropy, accuracy), or several (a probability for each, macro F1).

    Data sets: "sst2", phrases of film reviews with a positive or negative sentiment, tested on Tai et al.'s 1,821
    sentences; "goemotions", Reddit comments with one or more of 28 emotions; "clinc_oos", questions to an assistant
    with one of 150 intents, or out of scope. Validation is the published development set. A random share of SST-2's
    training phrases would not do: phrases of one sentence would be on both sides.

    Args:
      dataset: read where `train` is "".
      train, validation, test: .csv or .tsv files of your own, with a column of texts and one of labels. Without
        `validation` or `test`, random shares of `train` are taken.
      validation_share, test_share, seed: of these shares.
      text, label: the names of the columns.
      separator: what divides several labels in one cell, such as ";"; "" means that a text has one label.
      min_count: words that occur in training fewer times become "<unknown>".
      max_words: the number of words that are read of a text; 0 reads all.
      label_threshold: the probability from which a label is answered, where a text may have several.
      out_of_scope: the label of texts that no other label is meant for; "" is "oos" in "clinc_oos", and none elsewhere.
        "in_scope_accuracy" is then of all other texts, and "oos_recall" the share of these texts that are recognised.
      threshold: the validation metric that counts as solved; None: no threshold.
      learned: facts from an earlier run. Data are then read only when they are loaded.

    Words are in lower case, with punctuation marks and contractions divided as in the treebanks. Vocabulary and labels
    come from training alone. Trivial answers: the commonest label; every label, where there may be several; naive Bayes
    on words and pairs of words.
    """
    _check(min_count, max_words, label_threshold, threshold)
    held: list[Mapping[str, Texts]] = []  # the sets for the first load, freed afterwards
    if not learned:
        source = Source.of(dataset, train, validation, test, validation_share, test_share, seed, text, label, separator)
        sets = source.read(dirs)
        held.append(sets)
        outside = out_of_scope or OUT_OF_SCOPE.get(source.dataset, "")
        facts = learning.learn(sets, source.several, min_count, max_words, label_threshold, outside)
        own = source.files is not None
        learned = {
            "source": dataclasses.asdict(source),
            "text_column": text,
            "facts": dataclasses.asdict(facts),
            "warnings": learning.warnings(sets, facts, min_count, separator) if own else [],
        }
    source = Source.from_json(learned["source"])
    facts = learning.Facts(**learned["facts"])

    def read() -> dict[str, Any]:
        sets = held.pop() if held else source.read(dirs)
        return {split: learning.arrays(sets[split], facts) for split in ("train", "validation", "test")}

    return _make(facts, source, learned, read, threshold)


def _check(min_count: int, max_words: int, label_threshold: float, threshold: float | None) -> None:
    for field, value, least in (("min_count", min_count, 1), ("max_words", max_words, 0)):
        if value < least:
            raise ValueError(f"{field}={value!r} must be at least {least}")
    if not 0 < label_threshold < 1:
        raise ValueError(f"label_threshold={label_threshold!r} must be above 0 and below 1")
    if threshold is not None:
        check_share("threshold", threshold)


def _make(
    facts: learning.Facts, source: Source, learned: Mapping[str, Any], read: Any, threshold: float | None
) -> Task:
    words, unknown = tuple(facts.words), len(facts.words) - 1
    metric = "macro_f1" if facts.several else "accuracy"
    example = {
        "inputs": jax.ShapeDtypeStruct((facts.steps,), jnp.int32),
        "lengths": jax.ShapeDtypeStruct((), jnp.int32),
    }
    return Task(
        name=f"{FORM}-{source.name}",
        data=Stored(read=read, padded={"inputs": "lengths"}),
        spec=Spec(example, len(facts.labels), "last", len(words), unknown=unknown),
        loss=metrics.loss_of(facts),
        metrics=metrics.metrics_of(facts),
        metric=metric,
        threshold=threshold,
        trivial={name: values[metric] for name, values in facts.trivial.items()},
        length=facts.steps,
        scaling="It is the data's: longer texts are other texts.",
        encode=Encode(words, facts.max_words),
        decode=decoder(facts),
        vocabularies={"inputs": words, "targets": tuple(facts.labels)},
        learned=learned,
        files=source.paths,
        warnings=tuple(learned["warnings"]),
        application=Application(
            form=FORM,
            use=USE,
            trivial_metrics=without_metric(facts.trivial, metric),
            published=PUBLISHED.get(source.dataset, ()),
            breakdowns=metrics.breakdowns_of(facts),
            examples=functools.partial(collect, facts),
            generate=functools.partial(_generate, unknown, facts.several),
        ),
    )


def _generate(unknown: int, several: bool, model: Any, params: Any, batch: Any, keys: Any, sampling: Any) -> Any:
    del keys, sampling  # nothing is drawn
    return explain(model, params, batch, unknown, several)
