"""The page that classifies the text which the reader types."""

import dataclasses
import functools
from typing import Any

import numpy as np

from gru_research.runs.loaded_run import LoadedRun
from gru_research.tasks.sentiment.facts import Facts

from . import weights
from .content import Content, Trained

_BODY = """<label for="text">Text</label>
<textarea id="text" rows="3" spellcheck="false">{text}</textarea>
<div id="answers"></div>"""
EXAMPLE = "the plot is not bad , but the acting is not good ."


def content(run: LoadedRun) -> Content:
    """Returns the page's content for a run of the task `sentiment`."""
    facts = Facts(**run.task.learned["facts"])
    data = {"words": facts.words, "labels": facts.labels, "several": facts.several, "most": facts.max_words}
    return Content(
        "sentiment",
        f"Trained on {run.task.name.removeprefix('sentiment-')}: type a text",
        f"{len(facts.words) - 1:,} words",
        _BODY.format(text=EXAMPLE),
        data,
        functools.partial(_shortened, run),
    )


def _shortened(run: LoadedRun, whole: Content, trained: list[Trained], most: int) -> tuple[Content, list[Trained]]:
    """Returns the content with the words that training has most often, as many as there is room for. Others are read as
    unknown. It reads the training set."""
    words = whole.data["words"]
    tables = [one.params["embedding"]["E"] for one in trained]
    fixed = sum(weights.size(_without_table(one.params), "float16") for one in trained)
    each = sum(weights.size(table[:1], "float16") for table in tables) + max(len(word.encode()) for word in words)
    count = max(1, (most - fixed - 40_000) // each)
    train = run.sets["train"]
    tokens, lengths = np.asarray(train["inputs"]), np.asarray(train["lengths"])
    counts = np.bincount(tokens[np.arange(tokens.shape[1]) < lengths[:, None]], minlength=len(words))
    unknown = len(words) - 1
    counts[unknown] = -1
    kept = [*np.sort(np.argsort(-counts, kind="stable")[:count]).tolist(), unknown]

    def cut(one: Trained) -> Trained:
        embedding = {"E": np.asarray(one.params["embedding"]["E"])[kept]}
        params = {**one.params, "embedding": embedding}
        return dataclasses.replace(one, params=params, model={**one.model, "vocabulary": len(kept)})

    about = f"{count:,} of {unknown:,} words, the most frequent ones"
    data = {**whole.data, "words": [words[n] for n in kept]}
    return dataclasses.replace(whole, about=about, data=data), [cut(one) for one in trained]


def _without_table(params: Any) -> Any:
    return {name: part for name, part in params.items() if name != "embedding"}
