"""Checks that a layer's arguments have one part for each of its cells. A mistake is one line with the argument."""

from collections.abc import Mapping, Sequence
from typing import Any

from gru_research.cells.shape_checks import kind_of


def check_names(path: str, params: Any, names: Sequence[str], whose: str) -> None:
    """Raises TypeError where `params` are no mapping, ValueError where they have other names than `names`."""
    if not isinstance(params, Mapping):
        raise TypeError(f"{path} is {kind_of(params)}: {whose} has a mapping with {' and '.join(names)}")
    if set(params) != set(names):
        found = ", ".join(map(str, params)) or "nothing"
        raise ValueError(f"{path} has {found}: {whose} has {' and '.join(names)}")


def check_count(field: str, values: Any, wanted: int, whose: str, what: str) -> None:
    """Raises TypeError where `values` are no list or tuple, ValueError where they aren't as many as `wanted`."""
    if not isinstance(values, list | tuple):
        raise TypeError(f"{field} is {kind_of(values)} and must be a list of {wanted} {what}: {whose}")
    if len(values) != wanted:
        raise ValueError(f"{field} holds {len(values)} {what}; {whose}")
