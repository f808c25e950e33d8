"""The one result format: `records.jsonl`, written by a run and read by everything that reports on it.

One JSON object a line. The first line is the run's header; then, for each cell of the comparison, `draw`
lines where its rates were tuned, one `cell` line, `evaluation` and `probe` lines as training goes on, one `result` line
a seed; the last line says how the run ended.

    run         schema, config, task{name, metric, validation_metric, directions{}, trivial{}, threshold, length,
                scaling, signatures{}}, warnings, env, time
    draw        task, cell, draw, seed, values{"learning_rate": ...}, validation_metric, diverged_at, chosen
    cell        task, cell, cell_kind, options, hidden_size, parameters, reference_parameters,
                learning_rate (and clip, weight_decay, where they were tuned), updates, flops, tuned,
                time{compile_seconds}, env{engine}
    evaluation  task, cell, seed, step, train_loss, gradient_norm, clipped_share, validation_loss,
                validation_metric, metrics{}, diverged_at, time{train_seconds}
    probe       task, cell, seed, step, name, and what the probe of that name measures (config.probes):
                gradient_flow: of, lags, log_norm, half_life
    result      task, cell, seed, updates, selected_step, train_loss, validation_metric, test_loss,
                test_metric, test_metrics{}, steps_to_solve, diverged_at, last_good_loss, clipped_share,
                time{ms_per_step, train_seconds}; with config.train_examples train_set_loss and
                train_set_metric; with --debug_nans diverged_in of a seed that diverged: the operation, and the line
                of code
    end         status ("finished" or "interrupted"), time{seconds}

`test_metric` is the task's `metric` on the test set, an evaluation's `validation_metric` the task's metric of that
name; `metrics` and `test_metrics` are all that the task has, by name. `directions` says of each "min" or "max":
whether less or more of it is better. `trivial` are trivial answers by name, in `metric` on the test set. `threshold`,
of `validation_metric`, is null where the task has none. `length` is the longest training sequence, `scaling` one
sentence on how trivial answers and the difficulty change with it; `signatures` says how metrics of other libraries
were computed.

A draw's `values` are the tuned fields, each drawn once for all of its seeds: one line a draw and seed,
`chosen` is true on all lines of one draw of a cell. The range drawn from stands in config.tune. A cell's
`updates` is how many it is given, `flops` the floating-point operations of one example forward, `tuned`
whether its rate comes from draws. Its `compile_seconds` are those of training's and evaluation's programs, for its
draws and for its training together: a program that fits both is compiled once. `step` counts updates; the evaluation
at step 0 is before training and has no `train_loss`, `gradient_norm` and `clipped_share`, which are over the updates
since the last evaluation: means, and the share at which clipping acted, null without clipping. `train_set_loss` and
`train_set_metric` are of the tested parameters on all training examples, without noise. A result's
`updates` is how many the seed made, `selected_step` the step of the parameters that were tested.
`steps_to_solve` is null for a seed that did not solve the task, `diverged_at` for one that did not diverge.
What may differ between two equal runs lives under `time` and `env` only; a number that isn't finite is null. A run that
was interrupted and went on has `env.resumed` in its header, a list with an entry for each time: when, at which cell,
phase and step, how many records after it were dropped, and under which versions and engine. `env.engine` is which
engine runs recurrent layers: "native avx512, 2 threads", or "XLA, because ..."; that of a `cell` line is what the
cell's training program calls, "native" or "XLA", since cells without a kernel run by XLA.

Schema 2 added `draw` and the fields length, scaling, updates (of a cell), flops, tuned and selected_step;
schema 3 added `probe`; schema 4 `metrics`, `test_metrics`, and of a task `validation_metric`, `directions` and
`trivial` in place of one metric's `direction` and one `baseline`. Files of older schemas are read as they are,
without what came later.
"""

import dataclasses
import errno
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

SCHEMA = "gru_research.records/4"
READABLE = (*(f"gru_research.records/{version}" for version in (1, 2, 3)), SCHEMA)
KINDS = ("run", "draw", "cell", "evaluation", "probe", "result", "end")
FILE_NAME = "records.jsonl"

STUDY_SCHEMA = "gru_research.study/1"
STUDY_FILE_NAME = "study.json"
"""What a directory of many runs holds: their names in order, and what is swept."""


class RecordsError(ValueError):
    """A records file that can't be read; the message is one line for the user."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What a records file holds, by kind, in the order it was written; `in_order` are all of them, the header too.

    `incomplete_line` is True where the file ends in half a line, as a killed run leaves it; that
    half line is left out.
    """

    header: Mapping[str, Any]
    draws: tuple[Mapping[str, Any], ...] = ()
    cells: tuple[Mapping[str, Any], ...] = ()
    evaluations: tuple[Mapping[str, Any], ...] = ()
    probes: tuple[Mapping[str, Any], ...] = ()
    results: tuple[Mapping[str, Any], ...] = ()
    end: Mapping[str, Any] | None = None
    incomplete_line: bool = False
    in_order: tuple[Mapping[str, Any], ...] = ()

    @property
    def finished(self) -> bool:
        return self.end is not None and self.end["status"] == "finished"


def to_json(value: Any) -> Any:
    """Makes `value` plain JSON: tuples become lists, numpy scalars numbers, non-finite floats null."""
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Writer:
    """Appends records to a file; each line is flushed, so that a killed run keeps what it wrote.

    `Writer.begin` and `Writer.go_on` make one.
    """

    def __init__(self, path: Path, lines: int):
        self.lines = lines
        self._file: TextIO = path.open("a", encoding="utf-8")

    @classmethod
    def begin(cls, path: Path, **header: Any) -> "Writer":
        """A new file with its header, which is there whole or not at all.

        Raises FileExistsError where the file is there already: two runs never share one.
        """
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        write_whole(path, line_of("run", header))
        return cls(path, 1)

    @classmethod
    def go_on(cls, path: Path, keep: int, **header: Any) -> "Writer":
        """The file with its first `keep` lines alone, the first of them replaced by this header."""
        kept = path.read_text(encoding="utf-8").split("\n")[1:keep]
        write_whole(path, line_of("run", header) + "".join(line + "\n" for line in kept))
        return cls(path, keep)

    def write(self, kind: str, **fields: Any) -> None:
        self._file.write(line_of(kind, fields))
        self._file.flush()
        self.lines += 1

    def sync(self) -> int:
        """Returns how many lines there are, when they are on disk and not only on their way."""
        os.fsync(self._file.fileno())
        return self.lines

    def close(self) -> None:
        self._file.close()


def line_of(kind: str, fields: Mapping[str, Any]) -> str:
    """A record as its line."""
    assert kind in KINDS, kind
    first = {"kind": kind} | ({"schema": SCHEMA} if kind == "run" else {})
    return json.dumps(to_json({**first, **fields}), allow_nan=False, separators=(",", ":")) + "\n"


def write_whole(path: Path, content: str | bytes) -> None:
    """A file that is there whole or as it was before, also after a crash or on a full disk."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read(path: Path) -> Run:
    """Reads a records file.

    Raises:
      RecordsError: no such file, not JSON, no header, another schema, or an unknown kind.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise RecordsError(f"can't read {path}: {getattr(e, 'strerror', None) or e}") from e
    lines = text.split("\n")
    half = lines.pop()
    objects = [_parse(path, number, line) for number, line in enumerate(lines, 1)]
    if not objects or objects[0].get("kind") != "run":
        raise RecordsError(f"{path} has no run header in its first line: not a records file of this project")
    if objects[0].get("schema") not in READABLE:
        known = " and ".join(map(repr, READABLE))
        raise RecordsError(f"{path} has the schema {objects[0].get('schema')!r}; this version reads {known}")
    for number, record in enumerate(objects, 1):
        if record.get("kind") not in KINDS:
            raise RecordsError(f"{path}, line {number}: unknown kind {record.get('kind')!r}; known: {', '.join(KINDS)}")
    by_kind = {kind: tuple(o for o in objects if o["kind"] == kind) for kind in KINDS}
    ends = by_kind["end"]
    return Run(
        header=objects[0],
        draws=by_kind["draw"],
        cells=by_kind["cell"],
        evaluations=by_kind["evaluation"],
        probes=by_kind["probe"],
        results=by_kind["result"],
        end=ends[-1] if ends else None,
        incomplete_line=bool(half),
        in_order=tuple(objects),
    )


NOT_JSON = (ValueError, RecursionError)
"""What Python's parser raises: also for numbers of thousands of digits, and for thousands of brackets."""


def why_not_json(error: Exception) -> str:
    """One of `NOT_JSON` as part of a line."""
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except NOT_JSON as e:
        raise RecordsError(f"{path}, line {number}: not JSON ({why_not_json(e)})") from e
    if not isinstance(value, dict):
        raise RecordsError(f"{path}, line {number}: not a JSON object")
    return value
