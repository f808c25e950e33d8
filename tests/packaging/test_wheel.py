"""The wheel: it holds the package alone, with the native engine where a compiler is there, and works elsewhere."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from gru_research.native import Library
from hatch_build import Engine

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, jax, gru_research as gr
cell = gr.GRU(4)
options = gr.UnrollOptions(backend=sys.argv[1])
params = cell.init(jax.random.key(0), 3)
print(gr.__file__, gr.unroll(cell, params, jax.numpy.ones((2, 9, 3)), options=options)[1].shape)
"""


def build(out: Path, *what: str, **env: str) -> Path:
    """Builds what is asked for into `out`, and returns the wheel."""
    # No isolation: an isolated build would download hatchling.
    command = [sys.executable, "-m", "build", *what, "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def run(wheel: Path, folder: Path, *arguments: str) -> str:
    """What Python prints, with the wheel's package in place of the checkout's."""
    zipfile.ZipFile(wheel).extractall(folder / "site")
    env = {**os.environ, "PYTHONPATH": str(folder / "site")}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def native(wheel: Path) -> set[str]:
    """The wheel's files of the engine but for Python's."""
    return {name for name in names(wheel) if name.startswith("gru_research/native/") and not name.endswith(".py")}


@pytest.fixture(scope="module")
def compiled(native_engine: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with the engine, made from the sdist; where nothing can be compiled the test skips."""
    del native_engine
    return build(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that was made without a compiler."""
    empty = tmp_path_factory.mktemp("empty")
    return build(tmp_path_factory.mktemp("pure"), "--wheel", PATH=str(empty), CXX="", GRU_RESEARCH_NATIVE="")


@pytest.mark.processes
def test_it_holds_the_package_alone_with_types_and_checksums(pure: Path) -> None:
    found = names(pure)
    assert {name.split("/")[0] for name in found if ".dist-info/" not in name} == {"gru_research"}
    checksums = {str(path.relative_to(ROOT)) for path in ROOT.glob("gru_research/data/*/checksums.tsv")}
    assert len(checksums) >= 5
    assert {"gru_research/py.typed", *checksums} <= set(found)
    assert "gru_research/native/build.py" not in found
    assert {name.split("/")[-1] for name in found if "/licenses/" in name} == {"LICENSE", "NOTICE"}


@pytest.mark.processes
def test_without_a_compiler_it_is_pure_and_says_so(pure: Path, tmp_path: Path) -> None:
    assert pure.name.endswith("-py3-none-any.whl")
    assert native(pure) == {"gru_research/native/_missing.txt"}
    site = str(tmp_path / "site")
    printed = run(pure, tmp_path, "-c", PROGRAM, "auto")
    assert site in printed and "(2, 9, 4)" in printed
    said = run(pure, tmp_path, "-m", "gru_research.native")
    assert said.startswith("no native CPU engine: it wasn't compiled: no C++ compiler was found (g++, clang++, c++).")


@pytest.mark.processes
def test_with_a_compiler_it_holds_the_library_and_no_sources(compiled: Path, tmp_path: Path) -> None:
    assert "-py3-none-" in compiled.name and not compiled.name.endswith("-any.whl")
    assert native(compiled) == {"gru_research/native/_engine.so"}
    assert "gru_research/native/build.py" not in names(compiled)
    printed = run(compiled, tmp_path, "-c", PROGRAM, "native")
    assert str(tmp_path / "site") in printed and "(2, 9, 4)" in printed
    assert run(compiled, tmp_path, "-m", "gru_research.native").startswith("native CPU engine: compiled and tested")


@pytest.mark.processes
def test_the_sdist_holds_what_the_library_is_made_of(compiled: Path) -> None:
    (sdist,) = compiled.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    native = ROOT / "gru_research" / "native"
    sources = [path for end in ("cc", "h") for path in native.rglob(f"*.{end}")]
    assert {str(path.relative_to(ROOT)) for path in sources} <= held and len(sources) > 10
    assert {"hatch_build.py", "gru_research/native/build.py", "NOTICE"} <= held
    assert not any(name.endswith(".so") for name in held)


def test_a_compiler_that_fails_is_quoted(tmp_path: Path) -> None:
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho 'note: in a line' >&2\necho 'kernels.cc:1: error: no such flag' >&2\nexit 3\n")
    compiler.chmod(0o755)
    wheel = build(tmp_path / "dist", "--wheel", CXX=str(compiler), GRU_RESEARCH_NATIVE="")
    assert wheel.name.endswith("-any.whl")
    said = run(wheel, tmp_path, "-m", "gru_research.native")
    assert f"{compiler} failed with status 3: kernels.cc:1: error: no such flag. Layers run on XLA alone" in said


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"CXX": "false"}, "false failed with status 1: without a message"),
        ({"CXX": "no-such-compiler -O3"}, "the compiler CXX='no-such-compiler -O3' wasn't found"),
        ({"GRU_RESEARCH_NATIVE": "0"}, "it was installed with GRU_RESEARCH_NATIVE=0"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_the_reason_is_kept(env: dict[str, str], reason: str, tmp_path: Path) -> None:
    wheel = build(tmp_path, "--wheel", **{"GRU_RESEARCH_NATIVE": "", **env})
    assert zipfile.ZipFile(wheel).read("gru_research/native/_missing.txt").decode() == f"{reason}\n"


def test_1_insists_on_the_engine(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    env = {**os.environ, "CXX": "false", "GRU_RESEARCH_NATIVE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode != 0 and not list(tmp_path.iterdir())
    assert "CannotCompile: false failed with status 1: without a message" in done.stdout + done.stderr


def test_an_editable_installation_replaces_what_was_compiled_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = tmp_path / "gru_research" / "native"
    native.mkdir(parents=True)
    shutil.copyfile(ROOT / "gru_research" / "native" / "build.py", native / "build.py")
    (native / "_engine.so").write_bytes(b"of older sources")
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("GRU_RESEARCH_NATIVE", "")
    Engine(str(tmp_path), {}, None, None, str(tmp_path), "wheel").initialize("editable", {})
    assert not (native / "_engine.so").exists()
    assert (native / "_missing.txt").read_text() == "false failed with status 1: without a message\n"
