"""Anybody's module: what it is called with."""

import inspect
from typing import Any

from gru_research.types import Batch

FIELDS = ("inputs", "lengths", "mask", "resets", "targets")
"""What of a batch a module may ask for by name."""


def call_by_name(module: Any, batch: Batch, train: bool) -> Any:
    """`module(...)` with what its `__call__` asks for by name: fields of the batch, and `train`. The first argument is
    the inputs, whatever its name."""
    rest = [p for p in inspect.signature(module.__call__).parameters.values() if p.kind is not p.VAR_KEYWORD]
    if not rest:
        raise ValueError(f"{type(module).__name__}.__call__ must take the inputs, and takes nothing")
    del rest[0]
    named = {name: batch[name] for name in FIELDS[1:] if name in batch}
    named["train"] = train
    return module(batch["inputs"], **{p.name: named[p.name] for p in rest if p.name in named})
