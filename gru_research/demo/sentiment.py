"""The page that classifies the text which the reader types."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from gru_research.runs.loaded_run import LoadedRun
from gru_research.tasks.sentiment.facts import Facts

from .content import Content, Trained

_BODY = """<label for="text">Text</label>
<textarea id="text" rows="3" spellcheck="false">{text}</textarea>
<div id="answers"></div>"""
EXAMPLE = "the plot is not bad , but the acting is not good ."


def content(run: LoadedRun) -> Content:
    """Returns the page's content for a run of the task `sentiment`."""
    facts = Facts(**run.task.learned["facts"])
    words = len(facts.words) - 1  # the last one is the unknown word
    whole = Content(
        "sentiment",
        f"Trained on {run.task.name.removeprefix('sentiment-')}: type a text",
        f"{words:,} words",
        _BODY.format(text=EXAMPLE),
        {"words": facts.words, "labels": facts.labels, "several": facts.several, "most": facts.max_words},
    )
    frequent = functools.cache(lambda: most_frequent(run, words))

    def shorten(trained: Sequence[Trained], count: int) -> tuple[Content, list[Trained]]:
        kept = [*sorted(frequent()[:count]), words]
        about = f"{count:,} of {words:,} words, the most frequent ones"
        data = {**whole.data, "words": [facts.words[n] for n in kept]}
        return dataclasses.replace(whole, about=about, data=data), [_with_words(one, kept) for one in trained]

    # One-hot words have no table, and a page that is too large is so by its other weights.
    tables = all("E" in run.parameters(label, run.seeds(label)[0]).get("embedding", {}) for label in run.cells)
    return dataclasses.replace(whole, words=words, shorten=shorten) if tables else whole


def most_frequent(run: LoadedRun, words: int) -> list[int]:
    """Returns the numbers of the words, the most frequent of the training set first. It reads the training set."""
    train = run.sets["train"]
    tokens, lengths = np.asarray(train["inputs"]), np.asarray(train["lengths"])
    real = np.arange(tokens.shape[1]) < lengths[:, None]
    counts = np.bincount(tokens[real], minlength=words + 1)[:words]
    found: list[int] = np.argsort(-counts, kind="stable").tolist()
    return found


def _with_words(trained: Trained, kept: list[int]) -> Trained:
    """Returns a cell whose embedding has the `kept` words alone."""
    embedding = {"E": np.asarray(trained.params["embedding"]["E"])[kept]}
    model = {**trained.model, "vocabulary": len(kept)}
    return dataclasses.replace(trained, model=model, params={**trained.params, "embedding": embedding})
