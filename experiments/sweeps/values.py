"""A trial's values put into the sweep's config. Workers import this, and never what trains."""

import copy
from collections.abc import Mapping
from typing import Any

from gru_research.config import UserError


def with_values(mapping: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A config's mapping with fields, named with dots, set. Raises UserError where one lies in no group."""
    changed: Any = copy.deepcopy(dict(mapping))
    for field, value in values.items():
        *groups, last = field.split(".")
        inner = changed
        for depth, group in enumerate(groups):
            if inner.get(group) is None:
                inner[group] = {}
            inner = inner[group]
            if not isinstance(inner, dict):
                raise UserError(f"config.{'.'.join(groups[: depth + 1])} is no group of fields")
        inner[last] = value
    return changed
