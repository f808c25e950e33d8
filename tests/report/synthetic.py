"""Writes synthetic records of runs and studies, and reads the reports made from them."""

import csv
import dataclasses
import html.parser
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import rich.console

from gru_research import records, report, stats


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a synthetic run, with a curve and a test metric for each seed. None means the same as in records."""

    curves: list[list[float | None]]  # by seed, then by evaluation
    tests: list[float | None]
    parameters: int = 1000
    ms_per_step: float = 2.0  # for seed 0; each further seed takes 1 more
    diverged: dict[int, int] = dataclasses.field(default_factory=dict)  # seed: step
    results: int | None = None  # the number of seeds with a result; None: all
    draws: tuple[tuple[float, float | None], ...] = ()  # learning rate, validation metric; None: diverged
    chosen: int | None = None  # which draw
    described: bool = True  # whether training had begun


def write_run(
    workdir: Path,
    cells: dict[str, Cell],
    *,
    every: int = 100,
    threshold: float | None = 0.01,
    direction: str = "min",
    planned: list[str] | None = None,
    end: str | None = "finished",
    bare: bool = False,
    name: str = "adding",
    config: Mapping[str, Any] = MappingProxyType({}),
    files: Mapping[str, str] = MappingProxyType({}),
    **task_fields: object,
) -> records.Run:
    """Writes the records of a run. `bare` leaves out every optional field.

    `task_fields` add to the task's fields or replace them; `config` adds to the run's config.
    """
    workdir.mkdir(exist_ok=True)
    seeds = max((len(cell.curves) for cell in cells.values()), default=5)
    tune = {} if bare else {"tune": {"draws": 4, "learning_rate": [1e-4, 1e-1], "clip": None}}
    config = {"seeds": seeds, "cells": {label: {"kind": "GRU"} for label in planned or cells}, **tune, **config}
    metric = "MSE" if direction == "min" else "accuracy"
    task = {"name": name, "metric": metric, "directions": {metric: direction}}
    env, time = {}, {}
    if not bare:
        task |= {"threshold": threshold, "trivial": {"always predicting 1": 0.167}} | task_fields
        env = {
            "backend": "cpu", "devices": ["TFRT_CPU_0", "TFRT_CPU_0"], "versions": {"jax": "0.10.0", "numpy": "2.4.6"},
            "python": "3.11.2", "git_commit": "0123abcd", "git_dirty": True, "cores": 2, "platform": "Linux x86_64",
            "command": ["experiments/compare.py", "--config=configs/adding.py", "--config.only=GRU, RNN"],
        }  # fmt: skip
        time = {"started": "2025-01-02T03:04:05+00:00"}
    writer = records.Writer.begin(
        workdir / records.FILE_NAME, records.Header(config=config, task=task, files=files, env=env, time=time)
    )
    for label, cell in cells.items():
        _write_cell(writer, {"task": name, "cell": label}, cell, every, threshold, direction, bare)
    if end:
        writer.write(records.End(status=end, time={"seconds": 61.5}))
    writer.close()
    return records.read(workdir / records.FILE_NAME)


def _write_cell(writer, name, cell, every, threshold, direction, bare):
    for i, (rate, metric) in enumerate(cell.draws):
        result = {"validation_metric": metric, "diverged_at": None if metric is not None else 321}
        chosen = i == cell.chosen
        writer.write(records.Draw(**name, draw=i, seed=1000, values={"learning_rate": rate}, chosen=chosen, **result))
    if not cell.described:
        return
    details = {
        "cell_kind": "GRU", "options": {}, "hidden_size": 16, "parameters": cell.parameters,
        "reference_parameters": 1000, "learning_rate": 3e-3, "updates": every * (len(cell.curves[0]) - 1),
        "flops": 12345.0, "tuned": bool(cell.draws), "time": {"compile_seconds": 1.25},
    }  # fmt: skip
    writer.write(records.Cell(**name, **({} if bare else details)))
    steps = [every * i for i in range(len(cell.curves[0]))]
    for i, step in enumerate(steps):
        for seed, curve in enumerate(cell.curves):
            diverged = cell.diverged.get(seed, step + 1) <= step
            at = {"diverged_at": cell.diverged[seed] if diverged else None}
            more = {} if bare else at | {"train_loss": i + seed / 10 if i else None}
            writer.write(records.Evaluation(**name, seed=seed, step=step, validation_metric=curve[i], **more))
    for seed, test in list(enumerate(cell.tests))[: cell.results]:
        numbers = {
            "updates": steps[-1], "selected_step": steps[-2:][0], "train_loss": 0.5,
            "validation_metric": cell.curves[seed][-1], "test_loss": test,
            "steps_to_solve": stats.solved_at(steps, cell.curves[seed], threshold, direction),
            "diverged_at": cell.diverged.get(seed), "last_good_loss": 0.25,
            "time": {"ms_per_step": cell.ms_per_step + seed, "train_seconds": 9.0},
        }  # fmt: skip
        writer.write(records.Result(**name, seed=seed, test_metric=test, **({} if bare else numbers)))


def falling(seed: int, evaluations: int = 13) -> list[float | None]:
    return [0.2 * 0.5 ** (i * (1 - 0.04 * seed)) for i in range(evaluations)]


def flat(seed: int, evaluations: int = 13) -> list[float | None]:
    return [0.17 + 0.002 * seed + 0.001 * (i % 2) for i in range(evaluations)]


def two_cells(seeds: int) -> dict[str, Cell]:
    return {
        "GRU": Cell([falling(s) for s in range(seeds)], [0.001 * (s + 1) for s in range(seeds)]),
        "RNN": Cell([flat(s) for s in range(seeds)], [0.17 + 0.01 * s for s in range(seeds)], ms_per_step=1.0),
    }


def write_study(workdir: Path, kind: str, runs: list[str], **fields: object) -> None:
    """Writes `study.json`. For a horizon, `fields` hold its field, values and solved."""
    content = {"schema": "gru_research.study/1", "kind": kind, "title": "A study", "runs": runs}
    content |= {"field": None, "values": None, "solved": None} | fields
    (workdir / "study.json").write_text(json.dumps(content))


def constant(*tests: float | None, solved: int = 0) -> Cell:
    """Returns a cell with these test metrics. Its first `solved` seeds solve the task at step 100, the others never."""
    curves = [[0.2, 0.0001, 0.0001] if seed < solved else [0.2, 0.19, 0.18] for seed in range(len(tests))]
    diverged = {seed: 150 for seed, test in enumerate(tests) if test is None}
    return Cell(curves, list(tests), diverged=diverged)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def table_text(run: records.Run, width: int = 200) -> str:
    console = rich.console.Console(file=io.StringIO(), width=width)
    report.print_table(run, console)
    return console.file.getvalue()


class Page(html.parser.HTMLParser):
    """Parses a page: every start tag with its attributes, the visible text, and whether the tags close in order."""

    VOID = ("meta", "img", "br", "hr", "link")

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.texts.append(data)

    @property
    def headings(self) -> list[str]:
        return re.findall(r"<h2>(.*?)</h2>", self.source)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]
