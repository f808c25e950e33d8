"""Converts records to JSON lines and back. Both directions use the fields of the dataclasses in `kinds`."""

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from .kinds import KINDS, Header, Record

SCHEMA = "gru_research.records/4"
READABLE = (*(f"gru_research.records/{version}" for version in (1, 2, 3)), SCHEMA)
NOT_JSON = (ValueError, RecursionError)
"""The errors of Python's JSON parser, including those for thousands of digits or nested brackets."""
_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", tuple: "a list"}


def to_json(value: Any) -> Any:
    """Converts `value` to plain JSON: tuples become lists, NumPy scalars numbers, non-finite floats null."""
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def fields_of(record: Record) -> dict[str, Any]:
    """Returns the fields that the record's line has, without the kind."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if field.metadata.get("rest"):
            found |= value
        elif value is not None or not field.metadata.get("left_out"):
            found[field.name] = value
    return found


def dotted(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested mappings; names are joined with dots."""
    found: dict[str, Any] = {}
    for name, value in mapping.items():
        found |= dotted(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def line_of(record: Record) -> str:
    """Returns the JSON line of a record."""
    first = {"kind": record.kind} | ({"schema": SCHEMA} if isinstance(record, Header) else {})
    return json.dumps(to_json({**first, **fields_of(record)}), allow_nan=False, separators=(",", ":")) + "\n"


def record_of(line: Mapping[str, Any]) -> Record:
    """Converts a parsed line to its record. Missing fields take their defaults. Only `Probe` keeps unknown fields.

    Raises:
      ValueError: the kind is unknown, a field without a default is missing, or a field has another type. The message
        is one line.
    """
    kind = line.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    values: dict[str, Any] = {}
    hints, rest = _hints(KINDS[kind]), None
    for field in dataclasses.fields(KINDS[kind]):
        if field.metadata.get("rest"):
            rest = field.name
        elif line.get(field.name) is not None:
            values[field.name] = _checked(kind, field.name, line[field.name], hints[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"a record of the kind {kind!r} has no {field.name!r}")
    if rest:
        values[rest] = {name: value for name, value in line.items() if name not in ("kind", *values)}
    return KINDS[kind](**values)


@functools.cache
def _hints(cls: type) -> dict[str, tuple[type, ...]]:
    """Returns the plain types that each field of `cls` may have."""
    found = {}
    for name, hint in typing.get_type_hints(cls).items():
        union = typing.get_origin(hint) in (types.UnionType, typing.Union)
        kinds = typing.get_args(hint) if union else (hint,)
        found[name] = tuple(typing.get_origin(kind) or kind for kind in kinds if kind is not type(None))
    return found


def _checked(kind: str, name: str, value: Any, hints: tuple[type, ...]) -> Any:
    if float in hints and isinstance(value, int) and not isinstance(value, bool):
        return value
    if tuple in hints and isinstance(value, list):
        return tuple(value)
    if not isinstance(value, hints) or (isinstance(value, bool) and bool not in hints):
        wanted = " or ".join(_WORDS.get(hint, "an object") for hint in hints)
        raise ValueError(f"a record of the kind {kind!r} has {name}={value!r}, which must be {wanted}")
    return value


def why_not_json(error: Exception) -> str:
    """Returns the message of an error of `NOT_JSON`, as part of a line."""
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)
