"""The wheel: it builds, holds the package alone, and works outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    # No isolation: an isolated build would download hatchling.
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_it_holds_the_package_alone_with_types_and_checksums(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"gru_research"}
    checksums = {f"gru_research/data/{name}/checksums.tsv" for name in ("mnist", "music", "tiny_shakespeare")}
    assert {"gru_research/py.typed", *checksums} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        "import gru_research as gr, jax; cell = gr.GRU(4); params = cell.init(jax.random.key(0), 3);"
        "print(gr.__file__, gr.unroll(cell, params, jax.numpy.ones((2, 5, 3)))[1].shape)"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout and "(2, 5, 4)" in done.stdout
