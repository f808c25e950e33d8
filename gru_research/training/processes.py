"""Communication between the processes that train one run together. A single process sends nothing.

All run the same program on the same config, connected by `jax.distributed`. Only the first one reads and writes the
run's directory; what it reads or measures is broadcast to the others.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from gru_research.config import UserError

T = TypeVar("T")


def alone() -> bool:
    return jax.process_count() == 1


def is_first() -> bool:
    """Whether this process writes."""
    return jax.process_index() == 0


def from_first(make: Callable[[], T]) -> T:
    """Calls `make()` in the first process and returns its value, plain JSON, in all processes.

    Raises:
      UserError: `make()` raised it; all processes raise it.
    """
    if alone():
        return make()
    said = {}
    if is_first():
        try:
            said = {"value": make()}
        except UserError as e:
            said = {"error": str(e)}
    said = json.loads(_bytes_from_first(json.dumps(said).encode()))
    if "error" in said:
        raise UserError(said["error"])
    return said["value"]


def arrays_from_first(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the first process's nested dicts of numpy arrays in all processes."""
    if alone():
        return dict(arrays)
    flat = _flat(arrays)
    kinds = from_first(lambda: {name: (a.shape, a.dtype.str) for name, a in flat.items()})
    sent = _bytes_from_first(b"".join(a.tobytes() for a in flat.values()) if is_first() else b"")
    nested: dict[str, Any] = {}
    start = 0
    for name, (shape, dtype) in kinds.items():
        *groups, last = name.split("/")
        group = nested
        for each in groups:
            group = group.setdefault(each, {})
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        group[last] = np.frombuffer(sent[start : start + size], dtype).reshape(shape)
        start += size
    return nested


def _flat(arrays: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        assert "/" not in name, name
        inner = _flat(value, f"{prefix}{name}/") if isinstance(value, Mapping) else {prefix + name: np.asarray(value)}
        flat |= inner
    return flat


def agreed(steps: int, due: bool, stop: bool) -> tuple[int, bool, bool]:
    """Returns the first process's `steps` and `due`, and whether any process is to stop."""
    if alone():
        return steps, due, stop
    said = multihost_utils.process_allgather(np.asarray([steps, due, stop], np.int32))
    return int(said[0, 0]), bool(said[0, 1]), bool(said[:, 2].any())


def seconds_of_first(seconds: float) -> float:
    """Returns the time that the first process measured, in all processes."""
    return seconds if alone() else float(multihost_utils.broadcast_one_to_all(np.float32(seconds)))


def _bytes_from_first(data: bytes) -> bytes:
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(data))))
    if not length:
        return b""
    buffer = np.frombuffer(data, np.uint8) if is_first() else np.zeros(length, np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(buffer)).astype(np.uint8).tobytes()
