"""Checks which code runs: the checkout, its commit, and whether the package comes from it."""

from pathlib import Path

import gru_research
from experiments.doctor.findings import Finding, Settings
from experiments.doctor.packages import INSTALL, ROOT
from gru_research.runs.environment import environment


def check(settings: Settings) -> list[Finding]:
    return [package(Path(gru_research.__file__).resolve().parent), git()]


def package(folder: Path) -> Finding:
    found = f"{gru_research.__version__} from {folder}"
    if folder.parent != ROOT.resolve():
        return Finding("warning", "gru_research", f"{found}, not from this checkout", f"{INSTALL} -e .")
    return Finding("ok", "gru_research", found)


def git() -> Finding:
    about = environment()
    if about["git_commit"] is None:
        return Finding("optional", "git", "not a git checkout: runs won't say which commit they are of")
    changed = ", with changes that aren't committed" if about["git_dirty"] else ""
    return Finding("ok", "git", f"commit {about['git_commit'][:10]}{changed}")
