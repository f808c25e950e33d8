"""`make` sets up what its goals need, once: what running needs, or the tests' tools too.

Python is a stand-in that writes down what it is asked for, so that nothing is installed.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = """#!/bin/sh
echo "$@" >> "$LOG"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"pip install"*) ! [ -e offline ] ;;
  "-c import sys, tomllib"*) exec "$REAL" "$@" ;;
esac
"""
BLOCKED = """
import importlib.abc, importlib.metadata as metadata, re, runpy, sys
from packaging.requirements import Requirement

def needed(name, extras, found):
    key = re.sub(r"[-_.]+", "-", name).lower()
    if (key, extras) in found:
        return
    found.add((key, extras))
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # on another platform
        return
    for one in map(Requirement, texts):
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras or ("",)):
            needed(one.name, frozenset(one.extras), found)

found = set()
needed("gru_research", frozenset(), found)
core = {key for key, _ in found}
others = {
    module for module, owners in metadata.packages_distributions().items()
    if not any(re.sub(r"[-_.]+", "-", owner).lower() in core for owner in owners)
}

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in others:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
assert {"pytest", "optuna", "safetensors"} <= others and "optax" not in others
import experiments.claims, experiments.diagnosis.page, gru_research.report.claims, gru_research.models
sys.argv = ["compare", *ARGUMENTS]
runpy.run_module("experiments.compare", run_name="__main__", alter_sys=True)
"""
TINY = [
    "--config=configs/adding.py", "--config.updates=1", "--config.eval_every=1", "--config.only=gru",
    "--config.seeds=1", "--config.task.length=4", "--config.task.test_size=4", "--config.task.validation_size=4",
]  # fmt: skip


class Checkout:
    """A folder with the Makefile and what its stamps depend on."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("Makefile", "pyproject.toml", "constraints.txt", "hatch_build.py"):
            shutil.copy(ROOT / name, folder / name)
        (folder / "gru_research" / "native").mkdir(parents=True)
        (folder / "python").write_text(STAND_IN)
        (folder / "python").chmod(0o755)

    def make(self, *goals: str, **variables: str) -> list[str]:
        """Runs `make`, and returns what Python installed, but for the constraints, and what it ran."""
        log = self.folder / "log"
        log.write_text("")
        env = {name: value for name, value in os.environ.items() if name not in ("EXTRAS", "MAKEFLAGS")}
        env |= {"LOG": str(log), "REAL": sys.executable, **variables}
        command = ["make", *goals, f"PYTHON={self.folder / 'python'}"]
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        self.status = done.returncode
        asked = [line.partition(" constraints.txt ") for line in log.read_text().splitlines()]
        self.tiers = re.findall(r"pytest .* -m (processes|not processes)", "\n".join(before for before, _, _ in asked))
        ran = [before.split()[1] for before, _, _ in asked if re.match(r"-m (experiments\.|pytest|mkdocs)", before)]
        return [wanted for _, _, wanted in asked if wanted] + ran


def required(*extras: str) -> str:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return " ".join(requirement for extra in extras for requirement in known[extra])


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_running_installs_no_extra_and_tests_add_theirs_once(checkout: Checkout) -> None:
    assert checkout.make("compare") == ["--editable .", "experiments.compare"]
    assert checkout.make("claims") == ["experiments.claims"]
    assert checkout.make("test") == [required("dev", "applications"), "pytest"]
    assert checkout.make("test") == ["pytest"] and checkout.make("compare") == ["experiments.compare"]
    assert checkout.make("benchmark") == [required("peers"), "experiments.benchmark"]
    assert checkout.make("applications") == [required("applications"), "experiments.suite"]


def test_tests_on_a_fresh_machine_install_both(checkout: Checkout) -> None:
    wanted = required("dev", "peers", "docs")
    assert checkout.make("test", EXTRAS="dev,peers,docs") == ["--editable .", wanted, "pytest"]
    assert checkout.make("compare") == ["experiments.compare"]


def test_an_installation_that_broke_off_is_done_again(checkout: Checkout) -> None:
    (checkout.folder / "offline").touch()
    assert checkout.make("compare") == ["--editable ."] and checkout.status != 0
    (checkout.folder / "offline").unlink()
    assert checkout.make("compare") == ["--editable .", "experiments.compare"] and checkout.status == 0


def test_changed_dependencies_are_installed_for_whoever_asks(checkout: Checkout) -> None:
    checkout.make("test")
    stamp = (checkout.folder / ".venv" / ".tools").stat().st_mtime_ns
    os.utime(checkout.folder / "pyproject.toml", ns=(stamp + 1, stamp + 1))
    assert checkout.make("compare")[:1] == ["--editable ."] and checkout.make("test")[:1] == [
        required("dev", "applications")
    ]


def test_each_tier_runs_once(checkout: Checkout) -> None:
    checkout.make("test")
    assert checkout.tiers == ["not processes"]
    for goals in (["test-all"], ["test", "test-all"]):  # the second is .ci/run's
        checkout.make(*goals)
        assert checkout.tiers == ["not processes", "processes"]


def test_running_needs_nothing_that_only_an_extra_brings(tmp_path: Path) -> None:
    """With the core's dependencies alone: a comparison with its report, and all that claims and diagnoses import."""
    arguments = [*TINY, f"--workdir={tmp_path}/run"]
    code = f"ARGUMENTS = {arguments!r}\n{BLOCKED}"
    env = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").stat().st_size > 1000
