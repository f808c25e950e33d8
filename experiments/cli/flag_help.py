"""Formats `--help`, and the error for an unknown flag.

Libraries define hundreds of flags, which absl's `--helpfull` has. `--help` shows a launcher's own flags and the shared
ones of `experiments`.
"""

import dataclasses
import difflib
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from gru_research.config import ExperimentConfig, OptimizerConfig

INDENT = 24
TITLES = {
    "": "flags:",
    "experiments.cli.launcher": "flags of the config:",
    "experiments.cli.running": "flags of a run, its data and its backend:",
    "experiments.cli.distributed": "flags of several processes:",
    "experiments.slurm.submitted": "flags of a job on Slurm:",
}
"""Titles of groups of flags by the module that defines them; "" is the launcher itself."""


def is_asked_for(argv: Sequence[str]) -> bool:
    return any(re.fullmatch(r"--?help(short)?|-h|-\?", word) for word in argv[1:])


def text(doc: str | None) -> str:
    """Returns a launcher's docstring and our flags with their defaults, grouped by the module that defines them."""
    parts = [(doc or "").strip()]
    for module, found in _ours().items():
        lines = [_line(flag) for flag in found]
        parts.append("\n".join([TITLES.get(module, f"flags of {module}:"), *lines]))
    return "\n\n".join([*parts, "--helpfull shows the libraries' flags too."])


def unknown(name: str, config: Mapping[str, Any]) -> str:
    """Returns the message for an unknown flag, with the nearest flag or field of the config."""
    near = {flag.name: f"--{flag.name}" for found in _ours().values() for flag in found}
    if "config" in near:
        near = {**{field: f"--config.{path}" for field, path in _fields(config).items()}, **near}
    found = difflib.get_close_matches(name, list(near), n=1)
    return f"unknown flag --{name}" + (f"; did you mean {near[found[0]]}?" if found else "")


def _ours() -> dict[str, list[flags.Flag]]:
    """Returns the flags that our modules define, the running program's first."""
    modules = {  # a flag's module is `sys.argv[0]` where that is the program
        ("" if module == sys.argv[0] else module): found
        for module, found in flags.FLAGS.flags_by_module_dict().items()
        if module == sys.argv[0] or module.partition(".")[0] == "experiments"
    }
    return {module: modules[module] for module in (*TITLES, *modules) if module in modules}


def _line(flag: flags.Flag) -> str:
    said = " ".join((flag.help or "").split()).rstrip(".")
    if flag.default not in (None, "", []) and "default:" not in said:
        default = str(flag.default).lower() if isinstance(flag.default, bool) else str(flag.default)
        said += f" (default: {default})"
    width = min(shutil.get_terminal_size().columns, 120)
    head = f"  --{flag.name}"
    first = head.ljust(INDENT) if len(head) < INDENT - 1 else f"{head}\n" + " " * INDENT
    return first + textwrap.fill(said, width - INDENT, break_on_hyphens=False).replace("\n", "\n" + " " * INDENT)


def _fields(config: Mapping[str, Any]) -> dict[str, str]:
    """Maps names and whole paths of fields to paths, for the config file's fields and those of every experiment.

    If several fields share a name, the least nested one counts, and the optimiser's before others.
    """
    known = {"optimizer": {field.name: None for field in dataclasses.fields(OptimizerConfig)}}
    known |= {field.name: None for field in dataclasses.fields(ExperimentConfig) if field.name not in known}
    whose = [known, config] if not config or "task" in config else [config]
    paths = sorted((path for mapping in whose for path in _paths(mapping)), key=lambda path: path.count("."))
    named: dict[str, str] = {}
    for path in paths:
        named.setdefault(path.rpartition(".")[2], path)
    return {path: path for path in paths} | named


def _paths(mapping: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, value in mapping.items():
        found += _paths(value, f"{prefix}{name}.") if isinstance(value, Mapping) and value else [f"{prefix}{name}"]
    return found
