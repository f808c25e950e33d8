"""Formats answers as a table with cells side by side or as JSON lines, and shows progress."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import rich.console

from gru_research.runs.predict import Prediction
from gru_research.tables import Column, Table, tabulate, terminal
from gru_research.tasks import Task
from gru_research.tasks.forecasting.answers import Decode

LONGEST_INPUT, LONGEST_ANSWER = 80, 400
"""The most characters of an input and of an answer in a table."""
LEAST_EFFECT = 0.2
"""Words with at least this share of the largest effect have theirs beside them."""
SECONDS = 5.0
"""Seconds between two progress lines if stderr isn't a terminal."""


def to_json(predictions: Sequence[Prediction], names: Sequence[str]) -> list[str]:
    """Returns one JSON line per prediction. `names` are the inputs' names; all have equally many predictions."""
    each = len(predictions) // len(names)
    return [
        json.dumps(
            {"input": names[n // each], "cell": p.cell, "seed": p.seed, "answer": p.answer},
            ensure_ascii=False,
            allow_nan=False,
        )
        for n, p in enumerate(predictions)
    ]


def to_table(predictions: Sequence[Prediction], names: Sequence[str]) -> Table:
    """Returns a table with a row for each input and a column for each cell and seed."""
    each = len(predictions) // len(names)
    columns = [Column("input", lambda name, row: _text(name, LONGEST_INPUT), "left")]
    for i, p in enumerate(predictions[:each]):
        heading = f"{p.cell}\n" + ("ensemble" if p.seed is None else f"seed {p.seed}")
        columns.append(Column(heading, lambda name, row, i=i: _text(said(row[i].answer), LONGEST_ANSWER), "left"))
    return tabulate(columns, ((name, predictions[n * each : (n + 1) * each]) for n, name in enumerate(names)))


def show(console: rich.console.Console, predictions: Sequence[Prediction], names: Sequence[str]) -> None:
    console.print(terminal.grid(to_table(predictions, names), pad_edge=False))


def said(answer: Any) -> str:
    """Formats an answer briefly: the class and its probability, words with their effects, a summary with its copied
    words in brackets, a transcript, first and last forecasts, anomalies with their surprise, numbers, or a text."""
    if isinstance(answer, dict) and {"summary", "copied"} <= set(answer):
        pairs = zip(answer["words"], answer["copied"], strict=True)
        return " ".join(f"[{word}]" if copied else word for word, copied in pairs) or "-"
    if isinstance(answer, dict) and "transcript" in answer:
        return answer["transcript"] or "-"
    if isinstance(answer, dict) and {"words", "effects"} <= set(answer):
        rest = {name: value for name, value in answer.items() if name not in ("words", "effects")}
        return f"{said(rest)}\n{_marked(answer['words'], answer['effects'])}"
    if isinstance(answer, dict) and {"labels", "probabilities"} <= set(answer):
        shares = answer["probabilities"]
        return ", ".join(f"{name} ({shares[name]:.3g})" if name in shares else name for name in answer["labels"]) or "-"
    if isinstance(answer, dict) and "translation" in answer:
        return str(answer["translation"])
    if isinstance(answer, str):
        return answer
    if isinstance(answer, float):
        return f"{answer:.4g}"
    if isinstance(answer, dict) and {"class", "probability"} <= set(answer):
        share = answer["probability"]
        return f"{answer['class']} ({'-' if share is None else f'{share:.3g}'})"
    if isinstance(answer, dict) and {"classes", "probabilities"} <= set(answer):
        return " ".join(map(str, answer["classes"]))
    if isinstance(answer, dict) and "anomalies" in answer:
        found = answer["anomalies"]
        rows = ", ".join(f"{one['row']} ({one['surprise']:.1f})" for one in found)
        return f"{len(found):,} {'anomaly' if len(found) == 1 else 'anomalies'}{': row ' if found else ''}{rows}"
    if isinstance(answer, dict) and answer and all(isinstance(v, dict) and "forecast" in v for v in answer.values()):
        return "\n".join(f"{series}: {_forecast(parts)}" for series, parts in answer.items())
    if isinstance(answer, dict) and "keys" in answer:
        return " ".join("+".join(map(str, keys)) or "-" for keys in answer["keys"])
    if isinstance(answer, list) and all(isinstance(one, int | float | None) for one in answer):
        return " ".join(map(said, answer))
    return json.dumps(answer, ensure_ascii=False)


def _forecast(parts: Mapping[str, Sequence[float]]) -> str:
    """Returns the forecasts of the first step and of the last, each with its interval if there is one."""
    said = [f"{value:.3g}" for value in parts["forecast"]]
    if "low" in parts:
        ends = zip(said, parts["low"], parts["high"], strict=True)
        said = [f"{value} [{low:.3g}, {high:.3g}]" for value, low, high in ends]
    return said[0] if len(said) == 1 else f"{said[0]} … {said[-1]}"


def _marked(words: Sequence[str], effects: Sequence[float | None]) -> str:
    """Returns the words, with the effect of those whose effect is at least `LEAST_EFFECT` of the largest one."""
    most = max((abs(effect) for effect in effects if effect), default=0.0)
    return " ".join(
        f"{word}({effect:+.1f})" if effect and abs(effect) >= LEAST_EFFECT * most else word
        for word, effect in zip(words, effects, strict=True)
    )


def _text(text: str, longest: int) -> str:
    """Returns text cut to `longest` characters, without control characters."""
    shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text[:longest])
    return shown + "…" * (len(text) > longest)


def remarks(task: Task) -> list[str]:
    """Returns what a reader of a run's answers should know."""
    if isinstance(task.decode, Decode) and len(task.decode.levels) < 2:
        levels = tuple(task.decode.levels)
        return [f"the answers have no interval: the run was trained with config.task.quantiles={levels}"]
    return []


class Line:
    """Shows the number of answers on stderr: a live line on a terminal, a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._terminal:
            end = "\n" if done == total else ""
            print(f"\r{done:,} of {total:,} answers", end=end, file=sys.stderr, flush=True)
        elif now - self._last >= SECONDS:
            self._last = now
            print(f"{done:,} of {total:,} answers", file=sys.stderr, flush=True)
