"""Checks which data sets are prepared and readable, and says how to prepare the others."""

from pathlib import Path

from experiments.doctor.findings import Finding, Settings
from experiments.doctor.machine import directory
from gru_research import data
from gru_research.config import UserError


def check(settings: Settings) -> list[Finding]:
    dirs = data.DataDirs(settings.data_dir, settings.manual_dir)
    found = [data_dir(data.root_of(dirs))]
    if settings.manual_dir and not Path(settings.manual_dir).expanduser().is_dir():
        found.append(Finding("problem", "manual_dir", f"{settings.manual_dir} is no directory", "name another"))
    return [*found, *(data_set(name, dirs) for name in data.BUILDERS)]


def data_dir(root: Path) -> Finding:
    """Checks the folder of prepared data sets, which the first preparation makes."""
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if directory(there).level == "problem":
        advice = "name another with --data_dir=DIR, unless everything is prepared there"
        return Finding("warning", "data_dir", f"{root} can't be written", advice)
    return Finding("ok", "data_dir", f"{root}" + ("" if there == root else ", which isn't there yet"))


def data_set(name: str, dirs: data.DataDirs) -> Finding:
    """Checks a data set by reading all of it: the last example may be damaged too."""
    folder = data.folder_of(name, dirs)
    if not folder.exists():
        flags = "".join(f" --{flag}={value}" for flag, value in vars(dirs).items() if value)
        command = f"python -m experiments.prepare --dataset={name}{flags}"
        return Finding("optional", f"data {name}", "not prepared", command)
    try:
        splits = data.load(name, dirs)
    except UserError as e:
        return Finding("problem", f"data {name}", str(e), f"rm -r {folder}, and prepare it again")
    counts = ", ".join(f"{len(next(iter(arrays.values()))):,} {split}" for split, arrays in splits.items())
    return Finding("ok", f"data {name}", f"prepared: {counts}")
