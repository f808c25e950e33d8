"""From an `ml_collections.ConfigDict` at the edge to frozen, validated dataclasses inside.

`experiment(mapping)` checks every field and turns the mapping into an `ExperimentConfig`. A mistake
raises `UserError`, whose message is one line that names the field, the value and what is allowed.
Names (of cells, tasks, optimisers) are checked where their literal dict lives, with `choose`; the
options of what they name are checked by `call`, against the signature of what is called.
"""

import dataclasses
import difflib
import inspect
import itertools
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

T = TypeVar("T")

SEEDS = 2**32
"""How many seeds there are: a seed is 32 bits."""


LONGEST_FILE_NAME = 100
"""Of 255 bytes: orbax, TensorBoard and files that are written aside put something of their own behind a name."""


class UserError(ValueError):
    """A user's mistake; the message is one line. Launchers print it and exit with 2."""


class FileError(UserError):
    """A fault of a user's own file; the message names the file, and the line where there is one."""


def _require(condition: bool, field: str, value: Any, allowed: str) -> None:
    if not condition:
        raise ValueError(f"{field}={value!r} must be {allowed}")


def _without_scalars(value: Any) -> Any:
    """`value` with Python's numbers for NumPy's, which JSON can't hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {name: _without_scalars(part) for name, part in value.items()}
    return type(value)(map(_without_scalars, value)) if type(value) in (list, tuple) else value


def _settle(config: Any) -> None:
    """Python's numbers for NumPy's in the fields, so that equal configs are written alike.

    Raises ValueError where a field is infinite or NaN.
    """
    for field in dataclasses.fields(config):
        value = _without_scalars(getattr(config, field.name))
        _require(not isinstance(value, float) or math.isfinite(value), field.name, value, "finite")
        object.__setattr__(config, field.name, value)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """`schedule` shapes the learning rate over the run's updates, after `warmup` linear updates;
    `clip` bounds the global gradient norm, 0 turns it off; `weight_decay` is decoupled (AdamW's); `decay` is that of
    rmsprop's mean of squares and of momentum's trace."""

    name: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup: int = 0
    clip: float = 1.0
    weight_decay: float = 0.0
    decay: float = 0.9

    def __post_init__(self) -> None:
        _settle(self)
        _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        _require(0 <= self.decay < 1, "decay", self.decay, "at least 0 and below 1")
        for name in ("warmup", "clip", "weight_decay"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")


@dataclasses.dataclass(frozen=True)
class TuneConfig:
    """The same search for every cell: `draws` of each range that is given, log-uniform; 0 draws is no search.

    Every draw is trained with `seeds` seeds from `first_seed` on, for `updates` updates (0: the cell's own), and the
    one with the best validation metric is chosen; the comparison's own seeds come after that. `sample` is the seed of
    the draws themselves. A range is (low, high) of a field of the optimiser.
    """

    draws: int = 0
    learning_rate: tuple[float, float] = (1e-4, 1e-1)
    clip: tuple[float, float] | None = None
    weight_decay: tuple[float, float] | None = None
    updates: int = 0
    seeds: int = 1
    first_seed: int = 1000
    sample: int = 0

    def __post_init__(self) -> None:
        _settle(self)
        for name in ("draws", "updates", "first_seed", "sample"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _require(self.seeds >= 1, "seeds", self.seeds, "at least 1")
        for name, (low, high) in self.ranges.items():
            _require(0 < low <= high < math.inf, name, (low, high), "a finite range (low, high) with 0 < low <= high")
        _require(self.first_seed + self.seeds <= SEEDS, "first_seed", self.first_seed, "below 2**32, as all its seeds")

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The ranges that are drawn from, by the optimiser's field."""
        fields = {name: getattr(self, name) for name in ("learning_rate", "clip", "weight_decay")}
        return {name: value for name, value in fields.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class HorizonConfig:
    """A sweep over growing `values` of the config's `field`: a cell goes on to the next one as long as a share of
    at least `solved` of its seeds solves the task."""

    field: str = "task.length"
    values: tuple[int, ...] = ()
    solved: float = 0.5

    def __post_init__(self) -> None:
        _settle(self)
        growing = len(self.values) >= 1 and all(a < b for a, b in itertools.pairwise(self.values))
        _require(growing, "values", self.values, "one or more whole numbers, each above the one before")
        _require(0 < self.solved <= 1, "solved", self.solved, "a share above 0 and at most 1")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The kind of model that is built around each cell, and the options that go to it."""

    kind: str = "sequence"
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _settle(self)


@dataclasses.dataclass(frozen=True)
class CellConfig:
    """`hidden_size` None is chosen by `match`, `learning_rate` None is the optimiser's, `updates` None the
    comparison's; `options` go to the cell."""

    label: str
    kind: str
    hidden_size: int | None = None
    learning_rate: float | None = None
    updates: int | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _settle(self)
        if self.hidden_size is not None:
            _require(self.hidden_size >= 1, "hidden_size", self.hidden_size, "at least 1")
        if self.learning_rate is not None:
            _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        if self.updates is not None:
            _require(self.updates >= 1, "updates", self.updates, "at least 1")


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """The name of a task and the options that go to it."""

    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _settle(self)


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """One comparison: every cell of `cells` on one task, with `seeds` seeds each.

    `seeds` counts them; they are `first_seed`, `first_seed + 1`, ... `only` keeps the cells whose
    labels it lists, separated by commas. `reference` is the label whose size the others match, by `match`: the
    number of parameters, the width, floating-point operations, or the time of an update, which is measured.

    Evaluated are the parameters every `eval_every` updates, or `evaluations` times where that is above 0. `select`
    says which parameters are tested: the "last" or those with the "best" validation metric. With `patience` above 0 a
    seed stops after so many evaluations without a better one. `seconds` above 0 gives each cell so much time to train,
    tuning included, instead of a number of updates: it is measured once and becomes `cells.LABEL.updates`.
    Each batch is divided over `data_parallel` devices, which changes sums by rounding, and the noise that is drawn.
    `train_examples` above 0 keeps the first so many training examples of a stored task; what the tested parameters
    reach on them is then recorded beside the test set.
    `probes` names what is measured at every evaluation beside the metric, separated by commas; it changes nothing of
    the training.
    `trackers` names who is told of the records as they come, separated by commas; it changes nothing of the run.
    """

    task: TaskConfig
    cells: tuple[CellConfig, ...]
    reference: str
    match: Literal["parameters", "width", "flops", "time", "none"] = "parameters"
    only: str = ""
    updates: int = 1000
    batch_size: int = 32
    train_examples: int = 0
    data_parallel: int = 1
    eval_every: int = 100
    evaluations: int = 0
    seeds: int = 5
    first_seed: int = 0
    select: Literal["last", "best"] = "last"
    patience: int = 0
    seconds: float = 0.0
    optimizer: OptimizerConfig = OptimizerConfig()
    model: ModelConfig = ModelConfig()
    tune: TuneConfig = TuneConfig()
    horizon: HorizonConfig | None = None
    probes: str = ""
    trackers: str = ""

    def __post_init__(self) -> None:
        _settle(self)
        for name in ("updates", "batch_size", "data_parallel", "eval_every", "seeds"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        divisor = f"a divisor of batch_size={self.batch_size}"
        _require(self.batch_size % self.data_parallel == 0, "data_parallel", self.data_parallel, divisor)
        for name in ("evaluations", "first_seed", "patience", "seconds", "train_examples"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _require(self.first_seed + self.seeds <= SEEDS, "first_seed", self.first_seed, "below 2**32, as all its seeds")
        tuned = range(self.tune.first_seed, self.tune.first_seed + self.tune.seeds)
        if self.tune.draws and set(tuned) & set(range(self.first_seed, self.first_seed + self.seeds)):
            raise UserError(
                f"tune.first_seed={self.tune.first_seed} must leave out the comparison's own seeds, "
                f"{self.first_seed} to {self.first_seed + self.seeds - 1}"
            )
        labels = [cell.label for cell in self.cells]
        if not labels:
            raise UserError("cells is empty: name at least one cell")
        for label in self.selected_labels:
            choose("only", label, labels)
        choose("reference", self.reference, labels)
        for cell in self.cells:
            if cell.hidden_size is None and (self.match == "none" or cell.label == self.reference):
                raise UserError(
                    f"cells.{cell.label}.hidden_size is missing: with match={self.match!r} it is not chosen for you"
                )

    @property
    def selected_labels(self) -> tuple[str, ...]:
        """The labels of `only`; all labels where it is empty."""
        return split_names(self.only) or tuple(cell.label for cell in self.cells)


def split_names(text: str) -> tuple[str, ...]:
    """The names in a text that separates them by commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def experiment(mapping: Mapping[str, Any]) -> ExperimentConfig:
    """Checks a config (plain nested mappings) and makes the experiment that it describes; a NumPy scalar is a number.

    Raises:
      UserError: an unknown field, a value of the wrong type, or one outside its range.
    """
    fields = dict(mapping)
    for name in ("task", "cells"):
        if not isinstance(fields.get(name), Mapping):
            raise UserError(f"config.{name}={fields.get(name)!r} must be a group of fields")
    task = dict(fields.pop("task"))
    cells = dict(fields.pop("cells"))
    if not isinstance(task.get("name"), str):
        raise UserError(f"config.task.name={task.get('name')!r} must be a task's name")
    task["name"] = located(task["name"])
    task |= {name: _located_file(task[name], task["name"]) for name in FILES if name in task}
    for name in ("only", "probes", "trackers"):
        if isinstance(fields.get(name), list | tuple):
            fields[name] = ",".join(map(str, fields[name]))
    fields.setdefault("reference", next(iter(cells), ""))
    cell_configs = tuple(_cell(label, value) for label, value in cells.items())
    known = [f.name for f in dataclasses.fields(ExperimentConfig)]
    for name in fields:
        check_known("config", name, known)
    if fields.get("model") is None:
        fields.pop("model", None)
    else:
        fields["model"] = _model(fields["model"])
    groups = {"optimizer": OptimizerConfig, "tune": TuneConfig, "horizon": HorizonConfig}
    for name, cls in groups.items():
        if fields.get(name) is None:
            fields.pop(name, None)
        else:
            fields[name] = call(cls, fields[name], f"config.{name}")
    task_config = TaskConfig(task.pop("name"), task)
    return call(ExperimentConfig, fields, "config", {"task": task_config, "cells": cell_configs})


def _cell(label: str, value: Any) -> CellConfig:
    check_file_name("config.cells: the label", label)
    path = f"config.cells.{label}"
    if not isinstance(value, Mapping):
        raise UserError(f"{path}={value!r} must be a group of fields (kind, hidden_size, ...)")
    own = {"kind", "hidden_size", "learning_rate", "updates"}
    fields = {k: v for k, v in value.items() if k in own and v is not None}
    if "kind" not in fields:
        raise UserError(f"{path}.kind is missing: name a cell")
    if isinstance(fields["kind"], str):
        fields["kind"] = located(fields["kind"])
    options = {k: v for k, v in value.items() if k not in own}
    return call(CellConfig, fields, path, {"label": label, "options": options})


def _model(value: Any) -> ModelConfig:
    if not isinstance(value, Mapping):
        raise UserError(f"config.model={value!r} must be a group of fields (kind, ...)")
    kind = value.get("kind", ModelConfig.kind)
    if not isinstance(kind, str):
        raise UserError(f"config.model.kind={kind!r} must be a model's name")
    return ModelConfig(located(kind), {name: option for name, option in value.items() if name != "kind"})


def split_own(name: str) -> tuple[str, str] | None:
    """`path/to/file.py:Name` or `module:Name` as the two parts; None for a name without a colon.

    Raises:
      UserError: a colon, but neither of these.
    """
    place, colon, wanted = name.rpartition(":")
    if not colon:
        return None
    if not wanted.isidentifier() or not (place.endswith(".py") or all(map(str.isidentifier, place.split(".")))):
        raise UserError(f"{name!r} must be path/to/file.py:Name or package.module:Name")
    return place, wanted


def located(name: str) -> str:
    """A name whose file, where it names one, is an absolute path: what a config means wherever it is read again."""
    place, colon, wanted = name.rpartition(":")
    return f"{Path(place).expanduser().absolute()}:{wanted}" if colon and place.endswith(".py") else name


FILES = ("train", "validation", "test")
"""Options of tasks that may name the user's own files."""


def _located_file(value: Any, task: str) -> Any:
    """The absolute path of a file that is there; anything else, such as a split's name, as it is."""
    if not isinstance(value, str) or not value or (task == "tfds" and not Path(value).suffix):
        return value
    path = Path(value).expanduser()
    return str(path.absolute()) if path.is_file() else value


def call(
    function: Callable[..., T], options: Any, path: str, given: Mapping[str, Any] = types.MappingProxyType({})
) -> T:
    """Calls `function(**options, **given)` after checking `options` against its signature.

    Unknown names, values of another type than the annotation, missing arguments, and any ValueError
    that the function raises become a UserError that starts with `path`; a FileError stays as it is.
    """
    if not isinstance(options, Mapping):
        raise UserError(f"{path}={options!r} must be a group of fields")
    signature = inspect.signature(function).parameters
    parameters = {n: p for n, p in signature.items() if n not in given and p.kind not in _VARIABLE}
    hints = hints_of(function)
    values = {}
    for name, value in options.items():
        if not any(p.kind is p.VAR_KEYWORD for p in signature.values()) or name in given:
            check_known(path, name, parameters)
        values[name] = _typed(f"{path}.{name}", _without_scalars(value), hints.get(name, Any))
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in values:
            raise UserError(f"{path}.{name} is missing")
    try:
        return function(**values, **given)
    except FileError:
        raise
    except ValueError as e:
        raise UserError(f"{path}.{e}") from e


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The types that a function's parameters are annotated with; without those in words that its module can't resolve,
    such as what is imported for type checkers alone."""
    annotated = function.__init__ if inspect.isclass(function) else function
    try:
        return typing.get_type_hints(annotated)
    except (NameError, TypeError, AttributeError):
        found = inspect.signature(function).parameters.items()
        return {n: p.annotation for n, p in found if not isinstance(p.annotation, str) and p.annotation is not p.empty}


def with_fields(mapping: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A config's mapping with fields, named with dots, set; a group that it leaves out, or that is None, is made.

    Raises:
      UserError: what should be a group holds a value.
    """
    changed = dict(mapping)
    for name, value in values.items():
        changed = _with_field(changed, name.split("."), value, "config")
    return changed


def _with_field(mapping: Mapping[str, Any], names: list[str], value: Any, path: str) -> dict[str, Any]:
    first, *rest = names
    if rest:
        inner = mapping.get(first)
        if inner is not None and not isinstance(inner, Mapping):
            raise UserError(f"{path}.{first}={inner!r} is a value: it has no field {rest[0]!r}")
        value = _with_field(inner or {}, rest, value, f"{path}.{first}")
    return {**mapping, first: value}


def choose(path: str, name: Any, choices: Iterable[Any]) -> Any:
    """Returns `name` where it is one of `choices`; raises UserError with all of them where it isn't."""
    choices = list(choices)
    if name not in choices:
        texts = [str(choice) for choice in choices]
        raise UserError(f"{path}={name!r} is unknown{_nearest(name, texts)}; choose from {', '.join(texts)}")
    return name


def check_known(path: str, name: str, known: Iterable[str]) -> None:
    """Raises UserError with the nearest name where `path` has no field `name`."""
    known = list(known)
    if name not in known:
        raise UserError(f"{path} has no field {name!r}{_nearest(name, known)}; fields: {', '.join(known)}")


def check_file_name(what: str, name: str) -> None:
    """Raises UserError unless `name` names a file of its directory, on any file system, with room for an ending."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UserError(f"{what} {name!r} must be letters, digits and _ . - (it names files)")
    if len(name) > LONGEST_FILE_NAME:
        raise UserError(
            f"{what} '{name[:20]}...' has {len(name)} characters and must have at most {LONGEST_FILE_NAME} (it names "
            f"files)"
        )


def _nearest(name: Any, choices: list[str]) -> str:
    found = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def _typed(path: str, value: Any, hint: Any) -> Any:
    """`value` as `hint` says: an int serves as a float; anything else must match."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return call(hint, value, path)
    if hint is Any or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return value
    if origin is Literal:
        return choose(path, value, arguments)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        rest = [a for a in arguments if a is not type(None)]
        return _typed(path, value, rest[0]) if len(rest) == 1 else value
    if origin is tuple and isinstance(value, list | tuple):
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            raise UserError(f"{path}={value!r} must be {len(kinds)} values")
        return tuple(_typed(f"{path}[{i}]", v, kind) for i, (v, kind) in enumerate(zip(value, kinds, strict=True)))
    if origin is tuple:
        raise UserError(f"{path}={value!r} must be values in parentheses")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError as e:
            raise UserError(f"{path} is a whole number of {len(str(value))} digits, beyond the largest float") from e
    if hint is float and isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path}={value!r} must be finite")
    if hint in (int, float, str, bool) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise UserError(f"{path}={value!r} must be {_TYPE_NAMES[hint]}")
    return value


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def to_mapping(config: Any) -> Any:
    """A dataclass of this file as plain nested dicts, in the form that `experiment` reads."""
    if isinstance(config, ExperimentConfig):
        fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
        task, cells, model = fields.pop("task"), fields.pop("cells"), fields.pop("model")
        return {
            "task": {"name": task.name, **task.options},
            "cells": {
                c.label: {
                    "kind": c.kind,
                    "hidden_size": c.hidden_size,
                    "learning_rate": c.learning_rate,
                    "updates": c.updates,
                    **c.options,
                }
                for c in cells
            },
            "model": {"kind": model.kind, **{name: to_mapping(option) for name, option in model.options.items()}},
            **{k: to_mapping(v) for k, v in fields.items()},
        }
    if isinstance(config, Mapping):
        return {name: to_mapping(value) for name, value in config.items()}
    return dataclasses.asdict(config) if dataclasses.is_dataclass(config) else config  # pyright: ignore
