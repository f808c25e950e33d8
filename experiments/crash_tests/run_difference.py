"""Compares two finished runs: their files, every record, and every bit of their parameters and saved arrays."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gru_research import records
from gru_research.run_files import ARRAYS
from gru_research.runs.check_workdir import CONFIG_FILE
from gru_research.training import load_parameters
from gru_research.training.checkpoint import FOLDER

MAY_DIFFER = ("time", "env")


def first_difference(reference: Path, other: Path, labels: Sequence[str]) -> str:
    """Returns the first difference of the finished run in `other` from the one in `reference`; empty where they agree.

    Times and environments may differ, but the number of devices and the engine may not.
    """
    return (
        _in_files(reference, other)
        or _in_records(reference / records.FILE_NAME, other / records.FILE_NAME)
        or next(filter(None, (_in_parameters(reference, other, label) for label in labels)), "")
        or _in_arrays(reference / ARRAYS, other / ARRAYS)
    )


def _in_files(reference: Path, other: Path) -> str:
    expected, found = ({path.name for path in (run / FOLDER).iterdir()} for run in (reference, other))
    if expected != found:
        return f"{FOLDER} holds {', '.join(sorted(found))} instead of {', '.join(sorted(expected))}"
    aside = sorted(path.name for path in other.iterdir() if path.name.endswith(".new"))
    if aside:
        return f"{aside[0]} was left behind"
    if (reference / CONFIG_FILE).read_bytes() != (other / CONFIG_FILE).read_bytes():
        return f"{CONFIG_FILE} differs"
    return ""


def _in_records(reference: Path, other: Path) -> str:
    expected, found = (path.read_text(encoding="utf-8").splitlines() for path in (reference, other))
    for number, (one, two) in enumerate(zip(expected, found, strict=False), 1):
        a, b = json.loads(one), json.loads(two)
        for name in [*a, *(n for n in b if n not in a)]:
            if name not in MAY_DIFFER and a.get(name) != b.get(name):
                which = " of ".join(str(a[n]) for n in ("kind", "cell") if n in a)
                which += "".join(f", {n} {a[n]}" for n in ("seed", "draw", "step") if n in a)
                return f"record {number} ({which}): {name} is {_short(b.get(name))} instead of {_short(a.get(name))}"
    if len(expected) != len(found):
        return f"{len(found)} records instead of {len(expected)}"
    envs = [json.loads(lines[0])["env"] for lines in (expected, found)]
    envs += envs[1].get("resumed", [])
    for env in envs:
        if len(env["devices"]) != len(envs[0]["devices"]):
            return f"it ran on {len(env['devices'])} devices instead of {len(envs[0]['devices'])}"
        # The instruction set changes bits; the number of threads, which comes after it, doesn't.
        if env["engine"].partition(",")[0] != envs[0]["engine"].partition(",")[0]:
            return f"it ran by {env['engine']} instead of {envs[0]['engine']}"
    return ""


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _in_parameters(reference: Path, other: Path, label: str) -> str:
    expected, found = (_leaves(load_parameters(run, label)) for run in (reference, other))
    if expected.keys() != found.keys():
        (name, *_) = sorted(expected.keys() ^ found.keys())
        return f"parameters of {label}: {name} is in one of them only"
    return next(filter(None, (_in_array(f"parameters of {label}", n, expected[n], found[n]) for n in expected)), "")


def _in_arrays(reference: Path, other: Path) -> str:
    """Compares the test predictions and the examples that the runs saved."""
    expected, found = ({path.name for path in folder.glob("*")} for folder in (reference, other))
    if expected != found:
        return f"{ARRAYS} holds {', '.join(sorted(found))} instead of {', '.join(sorted(expected))}"
    for file in sorted(expected):
        with (
            np.load(reference / file, allow_pickle=False) as one,
            np.load(other / file, allow_pickle=False) as two,
        ):
            if one.files != two.files:
                return f"{file} has {', '.join(two.files)} instead of {', '.join(one.files)}"
            for name in one.files:
                if difference := _in_array(file, name, one[name], two[name]):
                    return difference
    return ""


def _in_array(where: str, name: str, a: np.ndarray, b: np.ndarray) -> str:
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return f"{where}: {name} is {b.dtype}{b.shape} instead of {a.dtype}{a.shape}"
    if a.tobytes() != b.tobytes():
        return f"{where}: {name} has other bits in {_unequal(a, b)} of {a.size} numbers"
    return ""


def _unequal(a: np.ndarray, b: np.ndarray) -> int:
    size = a.dtype.itemsize
    one, two = (np.frombuffer(array.tobytes(), np.uint8).reshape(-1, size) for array in (a, b))
    return int((one != two).any(1).sum())


def _leaves(tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
