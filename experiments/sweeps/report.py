"""The report over all trials, made from the journal: a table, the importance of each field, failures and reasons.

trials.csv    one row per attempt
report.md     best, importance and trials, as Markdown
report.html   the same as a self-contained page
"""

import math
import shlex
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import rich.console
import rich.text
from optuna.trial import FrozenTrial, TrialState

from gru_research import tables
from gru_research.plural import several
from gru_research.report import files, formatting, markup
from gru_research.stats import Direction
from gru_research.tables import Column, Table, terminal

from . import figure
from .journal import TrialJournal

LEAST_TRIALS = 2
FEW_TRIALS = 20
BEST_SHARE, BEST_TRIALS = 0.1, 4
"""PED-ANOVA's best trials: this share of them, at least BEST_TRIALS and at most half."""
SHOWN = 10  # rows on the terminal
OUTCOMES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def write(journal: TrialJournal, console: rich.console.Console) -> None:
    """Writes the files, each atomically, and prints the best trials and the importance of each field."""
    directory, entries = journal.directory.path, journal.entries()
    weights, note = importance(journal.study, list(journal.sweep.fields))
    found = best(entries, journal.description.direction)
    attempts = table(journal, entries)
    notes = [*best_lines(journal, found), *([note] if note else [])]
    weighed = importance_table(weights, "PED-ANOVA over the finished trials")
    drawn = figure.figure(journal.sweep, entries, journal.description.metric, journal.description.direction)
    pictures = [files.Figures(directory / "figures").add(drawn)] if drawn else []
    files.replace(directory / "trials.csv", to_csv(journal, entries).encode())
    files.replace(directory / "report.md", to_markdown(journal, notes, weighed, attempts).encode())
    files.replace(directory / "report.html", to_html(journal, notes, weighed, attempts, pictures).encode())
    if found is not None:
        terminal.show(console, ranking(journal, entries))
    if weights:
        terminal.show(console, importance_table(weights, "importance"))
    for line in notes:
        console.print(rich.text.Text(line), soft_wrap=True)
    console.print(rich.text.Text(f"Report: {directory / 'report.html'}"), soft_wrap=True)


def importance(study: optuna.Study, fields: Sequence[str]) -> tuple[dict[str, float], str]:
    """Returns each field's share of importance by PED-ANOVA, and a note; no shares where they are unknown."""
    finite = [t for t in study.get_trials(states=(TrialState.COMPLETE,)) if math.isfinite(_value(t))]
    if len(finite) < LEAST_TRIALS:
        return {}, f"Importance needs {LEAST_TRIALS} finished trials with a finite value; there are {len(finite)}."
    if len({t.value for t in finite}) == 1:
        return {}, "All finished trials have the same value: no field is more important than another."
    share = min(max(BEST_SHARE, BEST_TRIALS / len(finite)), 0.5)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # marked experimental
            evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
            shares = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(fields))
    except (ValueError, RuntimeError) as e:
        return {}, f"Importance can't be told: {e}"
    if not any(map(math.isfinite, shares.values())) or not sum(shares.values()):
        return {}, "Importance can't be told: no field sets the best trials apart from the others."
    few = f" With {several(len(finite), 'trial')} this is no more than a hint." if len(finite) < FEW_TRIALS else ""
    return shares, (
        f"Importance is each field's share of what sets the best {formatting.percent(share)} of the finished trials "
        f"apart (PED-ANOVA). It holds within this search space and says nothing about values outside it.{few}"
    )


def best(entries: Sequence[FrozenTrial], direction: Direction) -> FrozenTrial | None:
    complete = [entry for entry in entries if entry.state == TrialState.COMPLETE]
    if not complete:
        return None
    return min(complete, key=_value) if direction == "min" else max(complete, key=_value)


def attempts_by_trial(journal: TrialJournal) -> Mapping[int, list[FrozenTrial]]:
    """Returns each trial's attempts, by the trial's number."""
    attempts: dict[int, list[FrozenTrial]] = defaultdict(list)
    for entry in journal.entries():
        attempts[entry.user_attrs["trial"]].append(entry)
    return attempts


def outcome(entry: FrozenTrial) -> str:
    """Returns how an attempt ended, or that it hasn't."""
    return OUTCOMES.get(entry.state) or str(entry.user_attrs.get("failure", "failed"))


def text(value: Any) -> str:
    """Formats a field's value or a metric."""
    return formatting.number(value) if isinstance(value, float) else str(value)


def best_lines(journal: TrialJournal, found: FrozenTrial | None) -> list[str]:
    """Returns lines on the best trial, the bias of its metric, and the command that runs it with fresh seeds."""
    counts = defaultdict(int)
    for entry in journal.entries():
        counts[outcome(entry)] += 1
    lines = ["Attempts: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) + "."]
    if found is None:
        return [*lines, "No trial has finished."]
    number, config = found.user_attrs["trial"], journal.description.config
    values = ", ".join(f"{name}={text(value)}" for name, value in found.params.items())
    fresh = int(config["first_seed"]) + int(config["seeds"])
    config_folder = journal.directory.config_folder(number)
    command = shlex.join(
        ["python", "-m", "experiments.compare", f"--config=configs/rerun.py:{config_folder},first_seed={fresh}"]
    )
    return [
        *lines,
        f"Best: trial {number}, validation {journal.description.metric} {text(found.value)}, {values}.",
        "As the best of many, this number is too optimistic: run the trial with fresh seeds and read its test metric.",
        command,
    ]


def ranking(journal: TrialJournal, entries: Sequence[FrozenTrial]) -> Table:
    """Returns the table of the best trials, the best first."""
    complete = [entry for entry in entries if entry.state == TrialState.COMPLETE]
    complete.sort(key=_value, reverse=journal.description.direction == "max")
    columns = [
        Column("trial", lambda entry: str(entry.user_attrs["trial"]), "left"),
        Column(f"validation {journal.description.metric}", lambda entry: text(entry.value)),
        *(Column(name, lambda entry, name=name: text(entry.params.get(name))) for name in journal.sweep.fields),
        Column("seconds", lambda entry: text(entry.user_attrs.get("seconds"))),
    ]
    return tables.tabulate(columns, zip(complete[:SHOWN]), f"{journal.description.title}: the best trials")


def table(journal: TrialJournal, entries: Sequence[FrozenTrial]) -> Table:
    """Returns the table of all attempts, by trial."""
    known = (("seconds", "seconds"), ("peak GB", "peak_gb"), ("log", "log"), ("why", "reason"))
    columns = [
        Column("trial", lambda entry: str(entry.user_attrs["trial"]), "left"),
        Column("attempt", lambda entry: str(entry.user_attrs["attempt"])),
        Column("outcome", outcome),
        Column(f"validation {journal.description.metric}", lambda entry: _known(entry.value)),
        *(Column(name, lambda entry, name=name: _known(entry.params.get(name))) for name in journal.sweep.fields),
        *(
            Column(heading, lambda entry, name=name: str(entry.user_attrs.get(name, formatting.UNKNOWN)))
            for heading, name in known
        ),
    ]
    search, metric = journal.sweep.search, journal.description.metric
    caption = f"One row per attempt; {search}, objective: validation {metric}"
    return tables.tabulate(columns, zip(_by_trial(entries)), caption)


def importance_table(weights: Mapping[str, float], caption: str) -> Table:
    columns = [
        Column("field", lambda name, share: name, "left"),
        Column("importance", lambda name, share: formatting.percent(share)),
    ]
    return tables.tabulate(columns, weights.items(), caption)


def to_csv(journal: TrialJournal, entries: Sequence[FrozenTrial]) -> str:
    """Returns CSV with one row per attempt and all digits of its numbers."""

    def number(value: Any) -> str:
        return "" if value is None else str(value)

    columns = [
        Column("trial", lambda entry: str(entry.user_attrs["trial"])),
        Column("attempt", lambda entry: str(entry.user_attrs["attempt"])),
        Column("outcome", outcome),
        Column(f"validation_{journal.description.metric}", lambda entry: number(entry.value)),
        *(Column(name, lambda entry, name=name: number(entry.params.get(name))) for name in journal.sweep.fields),
        *(
            Column(name, lambda entry, name=name: number(entry.user_attrs.get(name)))
            for name in ("seconds", "peak_gb", "worker", "log", "reason")
        ),
    ]
    return tables.to_csv(tables.tabulate(columns, zip(_by_trial(entries))))


def _by_trial(entries: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return sorted(entries, key=lambda entry: (entry.user_attrs["trial"], entry.number))


def _known(value: Any) -> str:
    return formatting.UNKNOWN if value is None else text(value)


def to_markdown(journal: TrialJournal, notes: Sequence[str], weights: Table, attempts: Table) -> str:
    listed = "\n".join(f"- {note}" for note in notes)
    parts = [f"# {journal.description.title}", listed]
    parts += [f"## Importance\n\n{tables.to_markdown(weights)}"] if weights.rows else []
    return "\n\n".join([*parts, f"## Trials\n\n{tables.to_markdown(attempts)}"]) + "\n"


def to_html(
    journal: TrialJournal, notes: Sequence[str], weights: Table, attempts: Table, pictures: Sequence[markup.Picture]
) -> str:
    weighed = [tables.to_html(weights, "importance")]
    sections = [
        markup.Section("Best", [markup.bullets(notes)]),
        *([markup.Section("Importance of each field", weighed)] if weights.rows else []),
        *([markup.Section("Figures", pictures)] if pictures else []),
        markup.Section("Every trial", [tables.to_html(attempts, "seeds")]),
    ]
    return markup.document(f"{journal.description.title}: {several(journal.sweep.count, 'trial')}", sections)


def _value(entry: FrozenTrial) -> float:
    assert entry.value is not None
    return entry.value
