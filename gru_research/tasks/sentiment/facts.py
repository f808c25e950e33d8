"""Facts that the task learns: words and labels of training, and how well trivial answers do on the test set."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.config import FileError, choose

from ..files.categorical import ordered, unknown_as
from . import naive_bayes, scores
from .groups import GROUPS
from .reading import Texts
from .words import NEGATIONS, words_of_training

Sets = Mapping[str, Texts]
SMOOTHINGS = (1.0, 0.1, 0.01)
"""The counts of which validation chooses one for naive Bayes on several labels."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is learned, as plain JSON.

    Attributes:
      words: the vocabulary, `UNKNOWN` last.
      labels: the names of the labels.
      several: whether a text may have several labels, or none.
      steps: T of the longest training text.
      max_words: the number of words that are read of a text; 0 reads all.
      label_threshold: the probability from which a label is answered, where there may be several.
      groups: the names of the `groups.GROUPS` that have texts in validation and in test.
      trivial: the test metrics of each trivial answer.
      out_of_scope: the label of texts that no other label is meant for; "": there is none.
    """

    words: Sequence[str]
    labels: Sequence[str]
    several: bool
    steps: int
    max_words: int
    label_threshold: float
    groups: Sequence[str]
    trivial: Mapping[str, Mapping[str, float]]
    out_of_scope: str = ""

    @property
    def outside(self) -> int | None:
        """The number of the label `out_of_scope`; None if there is none."""
        return list(self.labels).index(self.out_of_scope) if self.out_of_scope else None

    @property
    def negations(self) -> list[int]:
        """The numbers of the words that negate."""
        number = {word: n for n, word in enumerate(self.words)}
        return [number[word] for word in NEGATIONS if word in number]


def learn(
    sets: Sets, several: bool, min_count: int, max_words: int, label_threshold: float, out_of_scope: str = ""
) -> Facts:
    """Returns the facts of the training set.

    Raises:
      ValueError: training lacks the label `out_of_scope`, or texts may have several labels.
      FileError: training has one label, another set has a label that training lacks, or all texts or none of a set
        have the label `out_of_scope`.
    """
    train = sets["train"]
    labels = ordered({name for names in train.labels for name in names})
    if len(labels) < 2:
        there = f"all of training has the label {labels[0]!r}" if labels else "training has no label"
        raise FileError(f"{train.path}: {there}, and must have two or more")
    for split, texts in sets.items():
        _check_labels(split, texts, labels, train)
    if out_of_scope:
        _check_scope(sets, several, labels, out_of_scope)
    cut = {split: _cut(texts, max_words) for split, texts in sets.items()}
    facts = Facts(
        words=words_of_training(cut["train"].words, min_count),
        labels=labels,
        several=several,
        steps=max(map(len, cut["train"].words)),
        max_words=max_words,
        label_threshold=label_threshold,
        groups=[],
        trivial={},
        out_of_scope=out_of_scope,
    )
    measured = [texts.words for split, texts in cut.items() if split != "train"]
    there = [group.name for group in GROUPS if all(any(map(group.has, texts)) for texts in measured)]
    return dataclasses.replace(facts, groups=there, trivial=_trivial(facts, cut))


def _check_labels(split: str, texts: Texts, labels: Sequence[str], train: Texts) -> None:
    known = set(labels)
    for n, names in enumerate(texts.labels):
        for name in names:
            if name not in known:
                raise FileError(
                    f"{texts.place(n)}: the label {name!r} is in {split} and not in training, which has "
                    f"{', '.join(labels[:20])}{_drawn(texts, train)}"
                )


def _check_scope(sets: Sets, several: bool, labels: Sequence[str], out_of_scope: str) -> None:
    if several:
        raise ValueError(f"out_of_scope={out_of_scope!r} must be '' where a text may have several labels")
    choose("out_of_scope", out_of_scope, labels)
    for split, texts in sets.items():
        beyond = [out_of_scope in names for names in texts.labels]
        if all(beyond) or not any(beyond):
            which = "every text" if all(beyond) else "no text"
            raise FileError(
                f"{texts.path}: {which} of {split} has the label out_of_scope={out_of_scope!r}; texts with it and "
                f"texts without it are measured apart{_drawn(texts, sets['train'])}"
            )


def _drawn(texts: Texts, train: Texts) -> str:
    return "; another seed draws other shares" if texts.path == train.path else ""


def _cut(texts: Texts, max_words: int) -> Texts:
    return dataclasses.replace(texts, words=[words[: max_words or None] for words in texts.words])


def targets(texts: Texts, labels: Sequence[str]) -> np.ndarray:
    """Returns `[N, C]` uint8: 1 for each label of a text."""
    number = {name: n for n, name in enumerate(labels)}
    out = np.zeros((len(texts), len(labels)), np.uint8)
    for row, names in zip(out, texts.labels, strict=True):
        row[[number[name] for name in names]] = 1
    return out


def arrays(texts: Texts, facts: Facts) -> dict[str, np.ndarray]:
    """Returns a set's arrays: tokens `inputs [N, T]`, padded with 0, `lengths [N]`, and `targets`, classes `[N]` or
    uint8 `[N, C]`."""
    number, other = {word: n for n, word in enumerate(facts.words)}, len(facts.words) - 1
    words = _cut(texts, facts.max_words).words
    lengths = np.array([len(row) for row in words], np.int32)
    inputs = np.zeros((len(words), lengths.max()), np.int32)
    for row, text in zip(inputs, words, strict=True):
        row[: len(text)] = [number.get(word, other) for word in text]
    wanted = targets(texts, facts.labels)
    return {
        "inputs": inputs,
        "lengths": lengths,
        "targets": wanted if facts.several else wanted.argmax(1).astype(np.int32),
    }


def _trivial(facts: Facts, sets: Sets) -> dict[str, dict[str, float]]:
    """Returns the test metrics of each trivial answer."""
    wanted = {split: targets(texts, facts.labels) for split, texts in sets.items()}
    train, test, right = sets["train"].words, sets["test"].words, wanted["test"].astype(bool)
    commonest = int(wanted["train"].sum(0, dtype=int).argmax())
    always = np.zeros_like(right)
    always[:, commonest] = True
    answers = {f"always {facts.labels[commonest]!r}": always}
    if not facts.several:
        found = naive_bayes.best_class(train, wanted["train"].argmax(1), test, len(facts.labels))
        answers["naive Bayes on words and pairs of words"] = np.eye(len(facts.labels), dtype=bool)[found]
        return {name: scores.of_one_label(answer, right, facts.outside) for name, answer in answers.items()}
    answers["every label"] = np.ones_like(right)
    model = naive_bayes.LabelBayes.of(train, wanted["train"])
    asked, known = sets["validation"].words, wanted["validation"].astype(bool)
    best = max(SMOOTHINGS, key=lambda smoothing: scores.f1(model.likely(asked, smoothing), known)[0])
    answers["naive Bayes for each label"] = model.likely(test, best)
    return {name: scores.of_labels(answer, right) for name, answer in answers.items()}


def warnings(sets: Sets, facts: Facts, min_count: int, separator: str) -> list[str]:
    """Returns sentences that a user should read: labels that a set lacks, texts that are cut, unknown words, and what
    looks like several labels in one."""
    said = []
    known = set(facts.words)
    for split, texts in sets.items():
        there = {name for names in texts.labels for name in names}
        if lacking := [name for name in facts.labels if name not in there]:
            said.append(f"{split}: no text has the label {', '.join(map(repr, lacking[:10]))}")
        if facts.max_words and (count := sum(len(words) > facts.max_words for words in texts.words)):
            said.append(f"{split}: {count:,} of {len(texts):,} texts are cut to max_words={facts.max_words}")
        tokens = [word in known for words in _cut(texts, facts.max_words).words for word in words]
        if split != "train" and not all(tokens):
            said.append(f"{split}: {tokens.count(False):,} of {len(tokens):,} words {unknown_as(min_count)}")
    if facts.several and all(len(names) < 2 for texts in sets.values() for names in texts.labels):
        said.append(f"no text has several labels: none has separator={separator!r}")
    if not facts.several and (joined := [name for name in facts.labels if any(mark in name for mark in ",;|")]):
        said.append(f"the label {joined[0]!r} may be several: separator divides them")
    return said
