"""Combines the cells of several finished runs. The runs must have the same task and data."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gru_research import records
from gru_research.plural import several

_OWN = ("task", "train_examples", "cells", "only", "trackers", "horizon")
"""Config fields that aren't reported as differing: fields that must be equal, and the names of a run's cells."""
_MEASURED = ("name", "metric", "validation_metric", "directions", "threshold", "trivial", "length", "signatures")
_NEARLY = 1e-4  # trivial answers' metrics are sums over the test set, whose rounding depends on the machine


@dataclasses.dataclass(frozen=True)
class Source:
    """One of several runs: its unique name, directory, records, and cells as {label in the run: label here}."""

    name: str
    workdir: Path
    run: records.Run
    labels: Mapping[str, str]


def alone(workdir: Path) -> Source:
    """Reads a single run, finished or not. Raises RecordsError as `records.read`."""
    run = records.read(workdir / records.FILE_NAME)
    return Source(workdir.name, workdir, run, {cell.cell: cell.cell for cell in run.cells})


Complete = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Maps a run's config to all options of its task, including those left at their defaults."""


def as_given(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the task's options that the config gives explicitly."""
    return config.get("task") or {}


def read(workdirs: Sequence[Path], complete: Complete = as_given) -> list[Source]:
    """Reads finished runs of the same task and data, and gives them short unique names and labels.

    A cell keeps its label if no other run has that label. Otherwise its run's name is added. `complete` is called if
    one run gives an option of the task and another doesn't.

    Raises:
      records.RecordsError: a directory is given twice, its records can't be read, its run isn't finished, or its task
        or data differ from the first run's. The message names the differing fields.
    """
    places = [workdir.resolve() for workdir in workdirs]
    for place, workdir in zip(places, workdirs, strict=True):
        if places.count(place) > 1:
            raise records.RecordsError(f"{workdir} is named twice: each run can be there once")
    runs = [records.read(workdir / records.FILE_NAME) for workdir in workdirs]
    for workdir, run in zip(workdirs, runs, strict=True):
        if not run.finished:
            raise records.RecordsError(f"{workdir} isn't finished: only finished runs can be put together")
        if different := differing_data(runs[0], run, complete):
            raise records.RecordsError(
                f"{workdir} isn't of the same task and data as {workdirs[0]}: {'; '.join(different)}"
            )
    names = _names(places)
    labels = _labels([[cell.cell for cell in run.cells] for run in runs], names)
    return [Source(*parts) for parts in zip(names, workdirs, runs, labels, strict=True)]


def merged(sources: Sequence[Source]) -> records.Run:
    """Returns the records of all runs as one finished run. A single run is returned unchanged.

    The config has the fields that are equal in all runs: `seeds`, for example, only if all runs have the same number.
    """
    if len(sources) == 1:
        return sources[0].run
    headers = [source.run.header for source in sources]
    config = _shared([dict(header.config) for header in headers])
    given = [(source.run.header.config.get("cells") or {}, source.labels) for source in sources]
    config["cells"] = {here: cells.get(there) for cells, labels in given for there, here in labels.items()}
    config["only"] = ""
    told = [(source.name, source.run.header.warnings) for source in sources]
    warnings = tuple(f"{name}: {line}" for name, lines in told for line in lines or ())
    header = records.Header(
        config=config,
        task=headers[0].task,
        warnings=None if all(lines is None for _, lines in told) else warnings,
        files=_shared([dict(header.files) for header in headers]),
    )

    def relabelled(kind: str) -> tuple[Any, ...]:
        return tuple(
            dataclasses.replace(record, cell=source.labels[record.cell])
            for source in sources
            for record in getattr(source.run, kind)
            if record.cell in source.labels
        )

    return records.Run(
        header=header,
        draws=relabelled("draws"),
        cells=relabelled("cells"),
        evaluations=relabelled("evaluations"),
        probes=relabelled("probes"),
        results=relabelled("results"),
        end=records.End(status="finished"),
    )


def notes(sources: Sequence[Source]) -> list[str]:
    """Returns what a reader must know before comparing cells of different runs; empty for a single run."""
    if len(sources) == 1:
        return []
    said = [
        f"Cells of {several(len(sources), 'run')}: "
        + "; ".join(f"{source.name} has {', '.join(source.labels.values())}" for source in sources)
        + ".",
        "Pairs are made by common seed, also of cells of different runs: equal seeds have equal batches where the "
        "batch size is equal. Times are of each run's own machine and day.",
    ]
    named = [source.name for source in sources]
    configs = [
        records.dotted({k: v for k, v in source.run.header.config.items() if k not in _OWN}) for source in sources
    ]
    if different := _different(configs):
        said.append(f"The runs have different settings: {_listed(different, named)}.")
    if different := _different([_made_with(source.run.header.env) for source in sources]):
        said.append(f"They were made with different versions or machines: {_listed(different, named)}.")
    sums = [source.run.header.files for source in sources]
    if changed := [path for path in sums[0] if all(path in of for of in sums) and len({of[path] for of in sums}) > 1]:
        said.append(f"These files have another content in each run: {', '.join(changed)}.")
    seeds = [{result.seed for result in source.run.results} for source in sources]
    for (i, one), (j, other) in itertools.combinations(enumerate(seeds), 2):
        if one != other:
            common = len(one & other)
            among = several(common, "common seed") if common else "no common seed, so that their cells have no pairs"
            said.append(f"{named[i]} and {named[j]} have {among}.")
    return said


def differing_data(first: records.Run, other: records.Run, complete: Complete = as_given) -> list[str]:
    """Returns the fields of task and data in which two runs differ, each with both values, as texts."""
    options = [as_given(run.header.config) for run in (first, other)]
    if options[0].keys() != options[1].keys():
        options = [records.to_json(complete(run.header.config)) for run in (first, other)]
    found = []
    for name in dict.fromkeys([*options[0], *options[1]]):
        mine, theirs = (of.get(name) for of in options)
        if _content(mine, first.header.files) != _content(theirs, other.header.files):
            found.append(_differs(f"task.{name}", mine, theirs))
    found += [f"{path} has another content" for path in _task_code(first) & _task_code(other)
              if first.header.files[path] != other.header.files[path]]  # fmt: skip
    kept = [run.header.config.get("train_examples") or 0 for run in (first, other)]
    if kept[0] != kept[1]:
        found.append(_differs("train_examples", *kept))
    if found:  # further differences would follow from these
        return found
    measured = {name: (first.header.task.get(name), other.header.task.get(name)) for name in _MEASURED}
    return [_differs(f"the task's {name}", *pair) for name, pair in measured.items() if not _nearly_equal(*pair)]


def _task_code(run: records.Run) -> set[str]:
    """Returns the other Python files in or below the folder of the user's task file. They may be part of the task."""
    file = str((run.header.config.get("task") or {}).get("name") or "").rpartition(":")[0]
    folder = Path(file).parent
    return {path for path in run.header.files if file and path != file and Path(path).suffix == ".py"
            and Path(path).is_relative_to(folder)}  # fmt: skip


def _differs(name: str, mine: Any, theirs: Any) -> str:
    if mine == theirs:
        return f"{name}={theirs!r} has another content"
    return f"{name} is {_value(theirs)} and not {_value(mine)}"


def _value(value: Any) -> str:
    return "unset" if value is None else repr(value)


def _content(value: Any, files: Mapping[str, str]) -> Any:
    """Returns a value of the task's config. A file with a known checksum is replaced by it, as files may move."""
    if isinstance(value, list | tuple):
        return [_content(each, files) for each in value]
    if not isinstance(value, str):
        return value
    path, colon, name = value.partition(":")
    if path in files:
        return files[path], colon, name
    sums = {sum_ for file, sum_ in files.items() if Path(file).name == Path(path).name} if path else set()
    return (sums.pop(), colon, name) if len(sums) == 1 else value


def _nearly_equal(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        return mine.keys() == theirs.keys() and all(_nearly_equal(mine[k], theirs[k]) for k in mine)
    if isinstance(mine, float | int) and isinstance(theirs, float | int):
        return math.isclose(mine, theirs, rel_tol=_NEARLY)
    return (mine or None) == (theirs or None)  # fields missing in an older schema are empty in a newer one


def _names(places: Sequence[Path]) -> list[str]:
    """Returns the parts of the paths that differ."""
    parts = [list(place.parts) for place in places]
    while all(len(of) > 1 for of in parts) and len({of[0] for of in parts}) == 1:
        parts = [of[1:] for of in parts]
    while all(len(of) > 1 for of in parts) and len({of[-1] for of in parts}) == 1:
        parts = [of[:-1] for of in parts]
    return ["/".join(of) for of in parts]


def _labels(of_runs: Sequence[Sequence[str]], names: Sequence[str]) -> list[dict[str, str]]:
    every = [label for labels in of_runs for label in labels]

    def among(add: bool) -> list[dict[str, str]]:
        return [
            {label: f"{label} ({name})" if add or every.count(label) > 1 else label for label in labels}
            for labels, name in zip(of_runs, names, strict=True)
        ]

    found = among(add=False)
    here = [label for labels in found for label in labels.values()]
    return found if len(set(here)) == len(here) else among(add=True)


def _shared(mappings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, *others = mappings
    return {k: v for k, v in first.items() if all(k in other and other[k] == v for other in others)}


def _made_with(env: Mapping[str, Any]) -> dict[str, Any]:
    names = ("backend", "engine", "devices", "cores", "platform", "git_commit")
    return {**(env.get("versions") or {}), **{name: env[name] for name in names if name in env}}


def _different(mappings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Returns the fields that aren't equal in all mappings, with their values."""
    names = dict.fromkeys(name for of in mappings for name in of)
    values = {name: [of.get(name) for of in mappings] for name in names}
    return {name: of for name, of in values.items() if any(value != of[0] for value in of)}


def _listed(different: Mapping[str, Iterable[Any]], named: Sequence[str]) -> str:
    return ", ".join(
        f"{name} ({', '.join(f'{run} {value}' for run, value in zip(named, of, strict=True))})"
        for name, of in different.items()
    )
