"""The doctor: on a sound installation, and on each thing that can be wrong with one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import pytest

from experiments.doctor import __main__ as doctor
from experiments.doctor import checkout, data_sets, machine, packages
from experiments.doctor.findings import Finding, Settings
from gru_research import data, native
from gru_research.native import Library, description
from tests.faults import fault, seen

ROOT = Path(__file__).parents[2]


def examine(*arguments: str, cwd: Path = ROOT, path: tuple[Path, ...] = (), **variables: str) -> Any:
    folders = os.pathsep.join(map(str, [*path, ROOT, ROOT / "tests" / "stand_ins"]))
    env = os.environ | {"PYTHONPATH": folders, "JAX_PLATFORMS": "cpu"} | variables
    command = [sys.executable, "-m", "experiments.doctor", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def distribution(folder: Path, name: str, version: str) -> Path:
    """A folder with metadata of a package, as pip would have left them."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def fake_nvidia_smi(folder: Path, status: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\nexit {status}\n")
    script.chmod(0o755)
    return folder


def damaged(tmp_path: Path) -> str:
    folder = data.folder_of("mnist", data.DataDirs(str(tmp_path)))
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{")
    return str(tmp_path)


def test_a_sound_installation_passes_and_trains(tmp_path: Path) -> None:
    done = examine("--json", f"--data_dir={tmp_path}")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    report = json.loads(done.stdout)
    findings = {f["subject"]: f for f in report["findings"]}
    assert report["level"] != "problem"
    assert findings["train step"]["level"] == "ok" and " ms an update" in findings["train step"]["found"]
    assert f"jax {jax.__version__} on cpu" in findings["backend"]["found"]
    assert findings["engine"]["found"].startswith(("native ", "XLA, because "))
    assert "jax " in findings["packages"]["found"] and findings["Python"]["level"] == "ok"
    assert findings["data mnist"]["advice"] == f"python -m experiments.prepare --dataset=mnist --data_dir={tmp_path}"
    assert {f"extra {name}" for name in ("tensorboard", "wandb", "cuda13")} <= set(findings)
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path) -> None:
    fakes = distribution(tmp_path / "fakes", "optax", "0.1.0")
    card = fake_nvidia_smi(tmp_path / "bin")
    path = os.pathsep.join([str(card), os.environ["PATH"]])
    done = examine(f"--data_dir={damaged(tmp_path / 'data')}", path=(fakes,), PATH=path)
    assert done.returncode == 2, done.stdout
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert any("optax 0.1.0 is installed, but" in line for line in problems)
    assert any("data mnist" in line and "damaged" in line for line in problems)
    assert "NVIDIA H100" in done.stdout and "JAX_PLATFORMS=cpu is set" in done.stdout
    assert "2 problems and 1 warning" in done.stdout.splitlines()[-1]


@fault("plan and doctor", "jax that can't be imported")
def test_an_installation_where_jax_cannot_be_imported_is_still_examined(tmp_path: Path) -> None:
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("raise ImportError('jaxlib is too old')")
    done = examine(path=(tmp_path,))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "jaxlib is too old" in done.stdout and "Python" in done.stdout and "extra wandb" in done.stdout
    seen(next(line for line in done.stdout.splitlines() if "too old" in line), ends="2")


def test_the_engine_that_is_missing_is_optional_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Library(None, "it wasn't compiled")
    monkeypatch.setattr(native, "library", lambda: missing)
    monkeypatch.setattr(description, "library", lambda: missing)
    monkeypatch.delenv("GRU_RESEARCH_NATIVE", raising=False)
    found = machine.engine()
    if jax.default_backend() == "cpu":
        assert found.level == "optional" and "it wasn't compiled" in found.found
        assert "C++ compiler" in found.advice and "pip install" in found.advice
        monkeypatch.setenv("GRU_RESEARCH_NATIVE", "0")
        assert "unset GRU_RESEARCH_NATIVE" in machine.engine().advice
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert machine.engine() == Finding("ok", "engine", "XLA, because the native engine is for CPUs and jax runs on gpu")


def test_help_and_unknown_flags(tmp_path: Path) -> None:
    shown = examine("--help")
    assert shown.returncode == 0 and "--data_dir" in shown.stdout and "--json" in shown.stdout
    wrong = examine("--datadir=x")
    assert wrong.returncode == 2 and "did you mean --data_dir" in wrong.stderr


@fault("plan and doctor", "a package that is too old", "an extra that is too old")
def test_versions_are_held_against_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(distribution(tmp_path, "wandb", "0.1")))
    distribution(tmp_path, "scipy", "0.9")
    found = packages.check(Settings())
    (scipy,) = [f for f in found if f.level == "problem"]
    assert scipy.found.startswith("scipy 0.9 is installed, but >=") and "pip install" in scipy.advice
    seen(scipy.found, ends="2")
    (wandb,) = [f for f in found if f.subject == "extra wandb"]
    assert wandb.level == "warning" and "wandb 0.1 is installed" in wandb.found and "'.[wandb]'" in wandb.advice
    seen(wandb.found)


def test_an_extra_of_an_extra_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = distribution(tmp_path, "outer", "1.0")
    metadata = folder / "outer-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Provides-Extra: gpu\nRequires-Dist: inner>=2; extra == 'gpu'\n")
    monkeypatch.syspath_prepend(str(folder))
    assert packages.fault_of(packages.Requirement("outer")) is None
    assert packages.fault_of(packages.Requirement("outer[gpu]")) == "inner isn't installed"
    distribution(tmp_path / "more", "inner", "2.1")
    monkeypatch.syspath_prepend(str(tmp_path / "more"))
    assert packages.fault_of(packages.Requirement("outer[gpu]>=1")) is None
    assert packages.fault_of(packages.Requirement("absent; python_version < '3'")) is None


def test_a_card_that_jax_overlooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("PATH", str(fake_nvidia_smi(tmp_path)), prepend=os.pathsep)
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    found = {f.subject: f for f in machine.backend()}
    assert found["GPU"].level == "warning" and "NVIDIA H100" in found["GPU"].found and "cuda13" in found["GPU"].advice
    distribution(tmp_path / "fakes", "jax-cuda13-plugin", "0.10.2")
    monkeypatch.syspath_prepend(str(tmp_path / "fakes"))
    assert "jax-cuda13-plugin 0.10.2 doesn't start" in {f.subject: f for f in machine.backend()}["GPU"].advice
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert [f.subject for f in machine.backend()] == ["backend"]


def test_a_driver_that_fails_shows_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake_nvidia_smi(tmp_path, status=9)), prepend=os.pathsep)
    if not Path("/dev/nvidia0").exists():
        assert machine.nvidia_card() is None


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc, where nobody may write, is Linux's")
def test_directories_that_cannot_be_written() -> None:
    folder = machine.directory(Path("/proc"))
    assert folder.level == "problem" and "/proc can't be written" in folder.found and "--workdir" in folder.advice
    assert data_sets.data_dir(Path("/proc/sets")).level == "warning"


def test_little_disk_and_memory_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LITTLE_DISK", 1 << 62)
    monkeypatch.setattr(machine, "LITTLE_MEMORY", 1 << 62)
    assert machine.directory(tmp_path).level == "warning"
    if Path("/proc/meminfo").exists():
        assert machine.memory().level == "warning"


@fault("plan and doctor", "prepared data that are damaged", "missing raw files")
def test_damaged_data_and_a_manual_dir_that_is_none(tmp_path: Path) -> None:
    found = {f.subject: f for f in data_sets.check(Settings(damaged(tmp_path), str(tmp_path / "raw")))}
    assert found["data mnist"].level == "problem" and "rm -r" in found["data mnist"].advice
    seen(found["data mnist"].found, ends="2")
    assert found["manual_dir"].level == "problem"
    seen(found["manual_dir"].found, ends="2")
    assert found["data scan_jump"].advice.startswith("python -m experiments.prepare --dataset=scan_jump")
    assert found["data tiny_shakespeare"].advice.endswith(f"--data_dir={tmp_path} --manual_dir={tmp_path}/raw")


def test_prepared_data_are_counted(mnist_data_dir: str) -> None:
    found = data_sets.data_set("mnist", data.DataDirs(mnist_data_dir))
    assert found == Finding("ok", "data mnist", "prepared: 60,000 train, 10,000 test")


def test_a_package_from_elsewhere_is_warned_of(tmp_path: Path) -> None:
    assert checkout.package(tmp_path).level == "warning"


@fault("plan and doctor", "a check that raises an error")
def test_a_check_that_fails_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "check", lambda settings: 1 / 0)
    (found,) = doctor.run_check("checkout", Settings())
    assert found.level == "problem" and "ZeroDivisionError" in found.found
    seen(found.found, ends="2")
