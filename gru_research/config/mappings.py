"""Converts nested mappings, such as an `ml_collections.ConfigDict`, to an `ExperimentConfig` and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from .errors import UserError
from .names import FILES, check_file_name, check_known, located, located_file
from .schema import CellConfig, ExperimentConfig, HorizonConfig, ModelConfig, OptimizerConfig, TaskConfig, TuneConfig
from .signatures import call


def experiment(mapping: Mapping[str, Any]) -> ExperimentConfig:
    """Converts a config (plain nested mappings) to an `ExperimentConfig` and checks it; NumPy scalars are numbers too.

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
    task |= {name: located_file(task[name], task["name"]) for name in FILES if name in task}
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


def to_mapping(config: Any) -> Any:
    """Converts a config, or a group of its fields, to plain nested dicts, which `experiment` reads."""
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


def with_fields(mapping: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config's mapping with the given dotted fields set. Makes groups that are missing or None.

    Raises:
      UserError: a value is where a group should be.
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
