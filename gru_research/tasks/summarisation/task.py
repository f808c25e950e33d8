"""Summarises documents in a few words, such as e-mails by their subjects."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import DataDirs
from gru_research.data.padding import padded
from gru_research.spec import Generation, Spec
from gru_research.types import Batch

from ..application import Application, without_metric
from ..base import Stored, Task, check_at_least
from . import metrics
from .answers import NAME_BYTES, Decode, Encode, Generate
from .metrics import to_bytes
from .published import PUBLISHED
from .reading import ZERO_SHOT, Pair, Sets, Source
from .trivial import trivial_answers
from .words import Vocabulary, learn_vocabulary, split_words

FORM = "summaries"
USE = "summarising texts"
PRIVATE = ("aeslc",)
"""Data sets of texts that their writers didn't publish."""


def summarisation(
    dataset: str = "aeslc",
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    document_words: int = 120,
    summary_words: int = 15,
    min_count: int = 4,
    min_count_generated: int = 3,
    validation_documents: int = 0,
    coverage: float = 0.0,
    beams: int = 5,
    length_penalty: float = 0.0,
    zero_shot: str = "",
    dirs: DataDirs = DataDirs(),
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Summarise a document in a few words, some of which are generated and some copied from the document.

    The metrics "rouge_1", "rouge_2" and "rouge_l" compare decoded summaries with the right one: F1 in per cent, the
    mean over documents (`rouge.rouge`). "rouge_1_best" and so on take the best of several right summaries. Summaries
    are decoded by beam search without repeating three words. The case of letters doesn't count. The loss is of the
    summary's words, in nats.

    Documents and summaries are divided into words and punctuation marks. Words that training lacks can be copied.

    Args:
      dataset: "aeslc", e-mails with their subjects.
      train: a file of your own in place of `dataset`: a table with the columns `document` and `summary` (.tsv, .csv),
        or JSON Lines (.jsonl).
      validation, test: files like `train`; "" takes shares of `train`, drawn by `seed`, instead.
      document_words: the most words of a document that are read, the first ones.
      summary_words: the most words of a summary in training, and of one that is decoded.
      min_count: how often a word must occur in training to be known.
      min_count_generated: how often a word must occur in training summaries to be generated.
      validation_documents: the number of validation documents that are used, the first ones; 0: all.
      coverage: the weight of the coverage loss (See et al. 2017), which keeps attention from reading a word again.
      beams: the number of beams; 1 is greedy decoding.
      length_penalty: of beam search.
      zero_shot: "opinosis" also tests on this data set of opinions, for which nothing is trained; "" doesn't.
      learned: facts from an earlier run. Data are then read only when they are loaded.

    Trivial answers: the first sentence, the first 8 and 15 words, and the most frequent summary.
    """
    check_at_least(2, document_words=document_words, summary_words=summary_words)
    check_at_least(1, min_count=min_count, min_count_generated=min_count_generated, beams=beams)
    check_at_least(0, validation_documents=validation_documents)
    for field, value in (("coverage", coverage), ("length_penalty", length_penalty)):
        if not 0 <= value < float("inf"):
            raise ValueError(f"{field}={value!r} must be 0 or more, and finite")
    how = Reading(document_words, summary_words, min_count, min_count_generated, validation_documents)
    held: list[Sets] = []  # the sets for the first load, freed afterwards
    if not learned:
        source = Source.of(dataset, train, validation, test, validation_share, test_share, seed, zero_shot)
        sets = how.cut(source.read(dirs))
        held.append(sets)
        learned = {"source": dataclasses.asdict(source), "text_column": "document", **_learned(sets, how, zero_shot)}
    source = Source.from_json(learned["source"])
    vocabulary = Vocabulary(**learned["vocabulary"])

    def read() -> dict[str, Any]:
        return how.arrays(held.pop() if held else how.cut(source.read(dirs)), vocabulary)

    return _make(source, learned, vocabulary, read, coverage, {"beams": beams, "length_penalty": length_penalty})


@dataclasses.dataclass(frozen=True)
class Reading:
    """How pairs become examples; the attributes are the task's options."""

    document_words: int
    summary_words: int
    min_count: int
    min_count_generated: int
    validation_documents: int

    def cut(self, sets: Sets) -> dict[str, list[Pair]]:
        """Returns the sets with the validation documents that are used."""
        found = {split: list(pairs) for split, pairs in sets.items()}
        count = self.validation_documents
        return found | {"validation": found["validation"][:count]} if count else found

    def words(self, pairs: Sequence[Pair]) -> tuple[list[list[str]], list[list[str]]]:
        """Returns the words of documents and of summaries."""
        return (
            [split_words(pair.document, self.document_words) for pair in pairs],
            [split_words(pair.summary, self.summary_words) for pair in pairs],
        )

    def vocabulary(self, train: Sequence[Pair]) -> Vocabulary:
        """Returns the vocabulary of training."""
        documents, summaries = self.words(train)
        return learn_vocabulary(documents, summaries, self.min_count, self.min_count_generated, self.document_words)

    def arrays(self, sets: Sets, vocabulary: Vocabulary) -> dict[str, dict[str, np.ndarray]]:
        """Returns the three sets: tokens `inputs [N, T]` and `targets [N, U]` with their lengths; in validation and
        test also the texts that ROUGE reads, `names [N, T, W]` and `references [N, R, S]`, and `zero_shot [N]`: the
        test set ends with the documents of another data set."""
        found = {}
        for split in ("train", "validation", "test"):
            pairs = sets[split]
            tested = [*pairs, *sets.get(ZERO_SHOT, ())] if split == "test" else pairs
            found[split] = self._tokens(tested, vocabulary)
            names = found[split].pop("names")
            if split != "train":
                found[split] |= {"names": names, "references": _references(tested)}
                found[split]["zero_shot"] = np.arange(len(tested)) >= len(pairs)
        return found

    def _tokens(self, pairs: Sequence[Pair], vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        inputs, targets, every = [], [], []
        for document, summary in zip(*self.words(pairs), strict=True):
            tokens, names = vocabulary.document(document)
            inputs.append(tokens)
            targets.append([*vocabulary.summary(summary, names), 0])
            every.append(names)
        most = max(map(len, every), default=0) or 1
        names = np.stack([to_bytes([*one, *[""] * (most - len(one))], NAME_BYTES) for one in every])
        return {
            "inputs": padded(inputs, np.int32, self.document_words),
            "lengths": np.array([len(row) for row in inputs], np.int32),
            "targets": padded(targets, np.int32, self.summary_words + 1),
            "target_lengths": np.array([len(row) for row in targets], np.int32),
            "names": names,
        }


def _references(pairs: Sequence[Pair]) -> np.ndarray:
    """Returns the bytes of right summaries, uint8 `[N, R, S]`; a document with fewer has empty ones."""
    rows = [[pair.summary, *pair.others] for pair in pairs]
    most = max(map(len, rows))
    size = max(len(text.encode()) for row in rows for text in row)
    return np.stack([to_bytes([*row, *[""] * (most - len(row))], size) for row in rows])


def _learned(sets: Sets, how: Reading, zero_shot: str) -> dict[str, Any]:
    """Returns the facts learned from the data, as plain JSON."""
    several = all(any(pair.others for pair in sets[split]) for split in ("validation", "test"))
    answers = trivial_answers(sets["train"], sets["test"])
    if not several:
        answers = {name: {k: v for k, v in one.items() if not k.endswith("_best")} for name, one in answers.items()}
    if ZERO_SHOT in sets:
        for name, one in trivial_answers(sets["train"], sets[ZERO_SHOT]).items():
            answers[name] |= {f"{zero_shot}_{k}": v for k, v in one.items() if k.endswith("_best")}
    return {"vocabulary": dataclasses.asdict(how.vocabulary(sets["train"])), "several": several, "trivial": answers,
            "document_words": how.document_words, "summary_words": how.summary_words}  # fmt: skip


def _prepare(batch: Batch) -> Batch:
    return {name: a if a.dtype in (jnp.uint8, jnp.bool_) else a.astype(jnp.int32) for name, a in batch.items()}


def _make(
    source: Source, learned: Mapping[str, Any], vocabulary: Vocabulary, read: Any, coverage: float,
    decoder: Mapping[str, Any],
) -> Task:  # fmt: skip
    tokens = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.int32)
    longest = learned["summary_words"] + 1
    example = {
        "inputs": tokens((learned["document_words"],)),
        "lengths": tokens(()),
        "targets": tokens((longest,)),
        "target_lengths": tokens(()),
    }
    answer = {"name": "beam_search", **decoder, "no_repeat": 3}
    answers = learned["trivial"]
    return Task(
        name=f"summarisation-{source.name}",
        data=Stored(read=read, prepare=_prepare, padded={"inputs": "lengths", "targets": "target_lengths"}),
        spec=Spec(
            example,
            output_size=vocabulary.size,
            answers="generated",
            vocabulary=vocabulary.size,
            generation=Generation(vocabulary.begin, 0, longest, vocabulary.generated, vocabulary.slots),
            unknown=vocabulary.unknown,
        ),
        loss=functools.partial(metrics.losses, vocabulary.unknown, coverage),
        metrics=metrics.metrics_of(vocabulary, learned["several"], source.zero_shot),
        metric="rouge_l",
        trivial={name: values["rouge_l"] for name, values in answers.items()},
        answer=answer,
        length=learned["document_words"],
        scaling="It is the data's: longer documents have more words to choose from.",
        encode=Encode(vocabulary),
        decode=Decode(vocabulary),
        vocabularies={"inputs": vocabulary.tokens, "targets": vocabulary.tokens},
        learned=learned,
        files=source.paths,
        application=Application(
            form=FORM,
            use=USE,
            trivial_metrics=without_metric(answers, "rouge_l"),
            published=PUBLISHED.get(source.dataset, ()),
            generate=Generate(longest),
            private=source.dataset in PRIVATE,
        ),
    )
