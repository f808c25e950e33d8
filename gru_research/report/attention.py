"""Attention weights of models on a few test examples, from the arrays and vocabularies that a run saved."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gru_research.report import exhibits, formatting
from gru_research.run_files import AttentionExamples, load_attention, load_vocabularies

_MOST_WORDS = 60
"""The most words of a sequence in a caption or a text alternative."""


@dataclasses.dataclass(frozen=True)
class AttentionMaps:
    """Saved attention by cell label, and the words of the tokens by field name."""

    cells: Mapping[str, AttentionExamples]
    vocabularies: Mapping[str, Sequence[str]]


def read(runs: Sequence[tuple[Path, Mapping[str, str]]]) -> AttentionMaps:
    """Reads the attention that runs of one task saved, if any: each a directory and {label in the run: label here}.

    Raises:
      RecordsError: a file can't be read.
    """
    cells: dict[str, AttentionExamples] = {}
    vocabularies: Mapping[str, Sequence[str]] = {}
    for workdir, labels in runs:
        found = {here: saved for label, here in labels.items() if (saved := load_attention(workdir, label)) is not None}
        vocabularies = vocabularies or (load_vocabularies(workdir) if found else {})
        cells |= found
    return AttentionMaps(cells, vocabularies)


def notes(found: AttentionMaps) -> list[str]:
    """Returns how to read the maps; empty without maps."""
    if not found.cells:
        return []
    shown = ", ".join(f"{label} with seed {attended.seed}" for label, attended in found.cells.items())
    return [
        "Each row shows the weights with which a model reads the input for one token of the answer that it generated. "
        f"Shown: {shown}. The examples are the first ones of different lengths in the test set, chosen before any "
        "answer was looked at. Where all of these answers are right, the first wrong one in the test set follows."
    ]


def grids(found: AttentionMaps) -> list[exhibits.Grid]:
    """Returns a map for each example and cell, except for examples with an empty input or answer."""
    return [
        _grid(label, attended, found.vocabularies, i)
        for label, attended in found.cells.items()
        for i in range(len(attended.examples))
        if attended.lengths[i] and attended.answer_lengths[i]
    ]


def _grid(label: str, attended: AttentionExamples, vocabularies: Mapping[str, Sequence[str]], i: int) -> exhibits.Grid:
    inputs, answer, target = (
        tokens[i, : lengths[i]]
        for tokens, lengths in (
            (attended.inputs, attended.lengths),
            (attended.answers, attended.answer_lengths),
            (attended.targets, attended.target_lengths),
        )
    )
    # Vector inputs have no words, so their steps are numbered.
    numbered = inputs.ndim > 1
    columns = _words(np.arange(len(inputs)), ()) if numbered else _words(inputs, vocabularies.get("inputs", ()))
    rows, wanted = (_words(tokens, vocabularies.get("targets", ())) for tokens in (answer, target))
    weights = attended.weights[i, : len(rows), : len(columns)]
    number = int(attended.examples[i])
    words = exhibits.Words(
        f"{label}, test example {number}: {'right' if attended.right[i] else 'wrong'}",
        _alt(label, rows, columns, weights),
        _caption(label, columns, wanted, bool(attended.right[i]), bool(attended.wrong_one[i])),
    )
    return exhibits.Grid(
        f"attention-{re.sub(r'[^A-Za-z0-9_.-]+', '_', label)}-{number}",
        words,
        rows,
        columns,
        tuple(exhibits.numbers(row) for row in weights),
        "answer",
        "input",
    )


def _words(tokens: np.ndarray, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Returns the words of tokens `[T]`: the number of a token without a word, and an invisible word in quotes."""
    known = dict(enumerate(vocabulary))
    words = (known.get(token, str(token)) for token in tokens.tolist())
    return tuple(word if word.strip() and word.isprintable() else repr(word) for word in words)


def _alt(label: str, rows: Sequence[str], columns: Sequence[str], weights: np.ndarray) -> str:
    """Returns the input word with the largest weight for each token of the answer, as text."""
    most = [
        f"{row} reads {columns[int(of.argmax())]} with {formatting.number(float(of.max()), 2)}"
        if np.isfinite(of).all()
        else f"{row} reads what isn't finite"
        for row, of in zip(rows[:_MOST_WORDS], weights, strict=False)
    ]
    return (
        f"Heat map of the weights with which {label} reads {len(columns)} words of the input, across, for {len(rows)} "
        f"tokens of its answer, down. Read most: {'; '.join(most)}{_more(len(rows))}."
    )


def _caption(label: str, inputs: Sequence[str], target: Sequence[str], right: bool, wrong_one: bool) -> str:
    first = f" It is the first test example that {label} answers wrongly." if wrong_one else ""
    said = "The answer is right: the target" if right else "The answer is wrong: the target"
    return f"Input: {_said(inputs)}. {said} is {_said(target)}.{first}"


def _said(words: Sequence[str]) -> str:
    return " ".join(words[:_MOST_WORDS]) + _more(len(words))


def _more(count: int) -> str:
    return f" and {count - _MOST_WORDS} more" if count > _MOST_WORDS else ""
