"""Calls a user's module with the fields of a batch that its signature names."""

import inspect
from typing import Any

from gru_research.types import Batch

FIELDS = ("inputs", "lengths", "mask", "resets", "targets")
"""The fields of a batch that a module may take by name."""


def call_by_name(module: Any, batch: Batch, train: bool) -> Any:
    """Calls `module` with the arguments that its `__call__` names: fields of the batch, and `train`. The first argument
    is the inputs, whatever its name."""
    rest = [p for p in inspect.signature(module.__call__).parameters.values() if p.kind is not p.VAR_KEYWORD]
    if not rest:
        raise ValueError(f"{type(module).__name__}.__call__ must take the inputs, and takes nothing")
    del rest[0]
    named = {name: batch[name] for name in FIELDS[1:] if name in batch}
    named["train"] = train
    return module(batch["inputs"], **{p.name: named[p.name] for p in rest if p.name in named})
