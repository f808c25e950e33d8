"""`experiments.export`: a trained cell as files, which a program reads that has nothing of this package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors import safe_open

from gru_research import runs
from gru_research.adapters.weights import load_safetensors
from tests.faults import fault, seen
from tests.launching import ROOT, launch

TINY = [
    "--config=configs/adding.py", "--config.updates=2", "--config.eval_every=1", "--config.seeds=2",
    "--config.batch_size=4", "--config.task.length=5", "--config.task.validation_size=4",
    "--config.task.test_size=4", "--config.only=gru,mine",
]  # fmt: skip


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two cells, one of them of the user's own, of which the other is exported."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    own = folder.parent / "mine.py"
    own.write_text("import gru_research as gr\n\n\ndef mine(hidden_size: int):\n    return gr.MGU(hidden_size)\n")
    for arguments in (["compare", *TINY, f"--config.cells.mine.kind={own}:mine"], ["export", "--cell=gru"]):
        done = launch(*arguments, f"--workdir={folder}")
        assert done.returncode == 0, done.stderr
    return folder


def test_function_and_weights_of_every_seed_give_what_the_model_gives(workdir: Path) -> None:
    folder, run = workdir / "export" / "gru", runs.load(workdir)
    function = jax.export.deserialize(bytearray((folder / "apply.jax").read_bytes()))
    batch = {"inputs": np.random.default_rng(0).normal(size=(3, 9, 2)).astype("float32")}
    outputs: list[Any] = []
    for seed in (0, 1):
        weights = load_safetensors(folder / f"weights-seed{seed}.safetensors")
        outputs.append(function.call(weights, batch))
        np.testing.assert_allclose(outputs[-1], run.model("gru").apply(run.parameters("gru", seed), batch), atol=1e-5)
    assert not np.allclose(*outputs)


def test_files_say_what_they_are(workdir: Path) -> None:
    folder = workdir / "export" / "gru"
    about = json.loads((folder / "export.json").read_text())
    assert about["functions"]["apply"]["inputs"] == {"inputs": {"shape": ["b", "t", 2], "dtype": "float32"}}
    assert about["functions"]["apply"]["outputs"] == {"outputs": {"shape": ["b", 1], "dtype": "float32"}}
    assert (about["task"], about["cell"], about["seeds"]) == ("adding", "gru", [0, 1])
    assert about["config"]["cells"]["gru"]["hidden_size"] == 37 and about["versions"]["jax"] == jax.__version__
    with safe_open(folder / "weights-seed1.safetensors", "np") as file:
        said = file.metadata()
        assert file.get_slice("stack.0.U_r").get_shape() == [37, 37]
    assert (said["task"], said["cell"], said["seed"]) == ("adding", "gru", "1")
    assert json.loads(said["config"]) == about["config"] and json.loads(said["versions"]) == about["versions"]
    page = (folder / "README.md").read_text()
    assert "`apply.jax`" in page and "- `inputs` `[b, t, 2]` float32" in page and "weights-seed1.safetensors" in page


def test_the_example_runs_without_this_package(workdir: Path, tmp_path: Path) -> None:
    (tmp_path / "gru_research.py").write_text("raise ImportError('gru_research was imported')\n")
    program = workdir / "export" / "gru" / "example.py"
    assert (
        len(program.read_text().splitlines()) <= 15 and "gru_research" not in program.read_text().partition('"""\n')[2]
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, program], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run, batch = runs.load(workdir), {"inputs": np.zeros((2, 10, 2), np.float32)}
    expected = run.model("gru").apply(run.parameters("gru", 0), batch)
    found = [float(number) for number in re.findall(r"[-\d.e]+", done.stdout)]
    np.testing.assert_allclose(found, np.ravel(expected), atol=1e-5)


def test_the_code_of_the_page_runs(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workdir / "export" / "gru")
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "export.md").read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["outputs"].shape == (2, 1)


def test_one_seed_of_a_cell_of_one_s_own_to_another_folder(workdir: Path, tmp_path: Path) -> None:
    own = workdir.parent / "mine.py"
    before = own.read_text()
    own.write_text(before + "\n# another one\n")
    (tmp_path / "it").mkdir()
    for name in ("export.json", "weights-seed7.safetensors", "step.jax", "notes.txt"):  # of an earlier export
        (tmp_path / "it" / name).write_text("{}")
    done = launch("export", f"--workdir={workdir}", "--cell=mine", "--seed=1", f"--output={tmp_path}/it")
    own.write_text(before)
    assert done.returncode == 0 and done.stderr == f"warning: {own} has changed since the run began\n", done.stderr
    names = ["README.md", "apply.jax", "example.py", "export.json", "notes.txt", "weights-seed1.safetensors"]
    assert sorted(path.name for path in (tmp_path / "it").iterdir()) == names


@fault("records", "a run without parameters, exported")
def test_a_run_without_parameters_is_named(workdir: Path, tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes((workdir / "records.jsonl").read_bytes())
    done = launch("export", f"--workdir={tmp_path}", "--cell=gru")
    assert done.returncode == 2
    says = "has no parameters: none of its cells was trained, or its checkpoints are gone"
    assert done.stderr == f"error: workdir='{tmp_path}' {says}\n"
    seen(done)
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]


MISTAKES = [
    pytest.param([], ["--cell is missing: choose from gru, mine"], marks=fault("command line", "no cell to export")),
    (["--cell=gruu"], ["--cell='gruu' is unknown; did you mean 'gru'"]),
    pytest.param(
        ["--cell=gru", "--seed=7"],
        ["--seed=7 is unknown", "0, 1"],
        marks=fault("command line", "an unknown seed"),
    ),
    pytest.param(
        ["--cell=gru", "--output=."],
        ["output='.' holds something else: choose another"],
        marks=fault("working directory", "an export over something else"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(arguments: list[str], said: list[str], workdir: Path) -> None:
    before = sorted(workdir.rglob("*"))
    done = launch("export", f"--workdir={workdir}", *arguments)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and all(part in line for part in said), line
    seen(done)
    assert sorted(workdir.rglob("*")) == before
