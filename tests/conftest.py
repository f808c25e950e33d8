"""Fixtures for all tests: parsed absl flags, the compilation cache, and data sets prepared once from raw files."""

import gc
import importlib.util
import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from tests import compilation_cache

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # workers and launchers inherit the first process' choice
    compilation_cache.use()
# XLA's fusion emitters take two fifths of the compilation time. Without them, XLA's older code fuses the same
# operations. Splitting a program among threads takes another tenth, and each of two processes has one core. A flag that
# XLA doesn't know ends the process, so only tested versions get the flags. They aren't set if XLA_FLAGS is in the
# environment, even if empty.
if metadata.version("jaxlib").startswith("0.10."):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1")
# LLVM's costly passes take two thirds of the compilation time that is left. XLA's own passes stay on. With
# JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS= in the environment all tests compile as users do.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax
import pytest
from absl import flags

from gru_research.data import DataDirs, prepare
from gru_research.native import Library, library
from tests.faults import Faults

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

flags.FLAGS.mark_as_parsed()  # grain reads absl flags


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=Path, help="write the page of faults there, from what the marked tests see")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(area, kind, ...): the test provokes these faults; see tests/faults.py")
    config.addinivalue_line(
        "markers",
        "processes: many processes, several devices, a browser, a compiler or a whole data set; for `make test-all`",
    )
    if not hasattr(config, "workerinput"):
        compilation_cache.clean()
    config.pluginmanager.register(Faults(config.getoption("--faults")))


def pytest_collection_finish() -> None:
    # Tracing makes objects by the million, and each full collection would look through all that was imported.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _raw_files(name: str) -> str:
    """Returns the folder of a data set's raw files. Without it the test is skipped, or fails if REQUIRE_DATA=1."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / name
    if not folder.is_dir():
        reason = f"the raw files of {name} aren't in {folder}"
        if os.environ.get("REQUIRE_DATA") == "1":
            pytest.fail(f"REQUIRE_DATA=1, and {reason}")
        pytest.skip(reason)
    return str(folder)


def native_or_skip() -> Library:
    reason = library().missing
    if reason is not None:
        if os.environ.get("REQUIRE_NATIVE") == "1":
            pytest.fail(f"REQUIRE_NATIVE=1, and the native engine isn't there: {reason}")
        pytest.skip(f"the native engine isn't there: {reason}")
    return library()


@pytest.fixture(scope="session")
def native_engine() -> Library:
    """The native CPU engine. Without it the test is skipped, or fails if REQUIRE_NATIVE=1."""
    return native_or_skip()


@pytest.fixture(scope="session")
def aeslc_manual_dir() -> str:
    return _raw_files("aeslc")


@pytest.fixture(scope="session")
def an4_manual_dir() -> str:
    return _raw_files("an4_mfcc")


@pytest.fixture(scope="session")
def fsdd_manual_dir() -> str:
    return _raw_files("fsdd")


@pytest.fixture(scope="session")
def chatterbot_manual_dir() -> str:
    return f"{_raw_files('chatterbot_corpus')}/chatterbot_corpus/data/english"


@pytest.fixture(scope="session")
def chorales_manual_dir() -> str:
    return _raw_files("jsb_chorales_satb")


@pytest.fixture(scope="session")
def clinc_oos_manual_dir() -> str:
    return _raw_files("clinc_oos")


@pytest.fixture(scope="session")
def dialog_babi_manual_dir() -> str:
    return _raw_files("dialog_babi")


@pytest.fixture(scope="session")
def ett_manual_dir() -> str:
    return _raw_files("ett")


@pytest.fixture(scope="session")
def mnist_manual_dir() -> str:
    return _raw_files("mnist")


@pytest.fixture(scope="session")
def multi30k_manual_dir() -> str:
    return _raw_files("multi30k")


@pytest.fixture(scope="session")
def music_manual_dir() -> str:
    return _raw_files("music_poly")


@pytest.fixture(scope="session")
def nab_manual_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A flat folder of links, as a download makes it: the repository has folders."""
    flat = tmp_path_factory.mktemp("nab")
    raw = Path(_raw_files("nab"))
    for path in [*raw.glob("data/*/*.csv"), raw / "labels" / "combined_windows.json"]:
        (flat / path.name).symlink_to(path)
    return str(flat)


@pytest.fixture(scope="session")
def opinosis_manual_dir() -> str:
    return _raw_files("opinosis")


@pytest.fixture(scope="session")
def scan_manual_dir() -> str:
    return _raw_files("scan")


@pytest.fixture(scope="session")
def sst2_manual_dir() -> str:
    return _raw_files("sst2")


@pytest.fixture(scope="session")
def goemotions_manual_dir() -> str:
    return _raw_files("goemotions")


@pytest.fixture(scope="session")
def tiny_shakespeare_manual_dir() -> str:
    return _raw_files("tiny_shakespeare")


@pytest.fixture(scope="session")
def aeslc_data_dir(aeslc_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with AESLC prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("aeslc", DataDirs(data_dir, aeslc_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def an4_data_dir(an4_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with AN4 prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("an4", DataDirs(data_dir, an4_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def fsdd_data_dir(fsdd_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with the Free Spoken Digit Dataset prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("fsdd", DataDirs(data_dir, fsdd_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def chatterbot_data_dir(chatterbot_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with the ChatterBot corpus prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("chatterbot", DataDirs(data_dir, chatterbot_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def chorales_data_dir(chorales_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with the chorales by voice prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("chorales", DataDirs(data_dir, chorales_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def clinc_oos_data_dir(clinc_oos_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with CLINC150 prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("clinc_oos", DataDirs(data_dir, clinc_oos_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def dialog_babi_data_dir(dialog_babi_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with the six dialog bAbI tasks prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    for task in range(1, 7):
        prepare(f"dialog_babi_{task}", DataDirs(data_dir, dialog_babi_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def ett_data_dir(ett_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with ETTh1 and ETTh2 prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    for name in ("etth1", "etth2"):
        prepare(name, DataDirs(data_dir, ett_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def mnist_data_dir(mnist_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with MNIST prepared in it. All tests share it: copy it before damaging it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("mnist", DataDirs(data_dir=data_dir, manual_dir=mnist_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def multi30k_data_dir(multi30k_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with Multi30k prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("multi30k", DataDirs(data_dir, multi30k_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def music_data_dir(music_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with the four music data sets prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    for name in ("music_jsb", "music_musedata", "music_nottingham", "music_piano_midi"):
        prepare(name, DataDirs(data_dir, music_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def nab_data_dir(nab_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with NAB prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("nab", DataDirs(data_dir, nab_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def opinosis_data_dir(opinosis_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with Opinosis prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("opinosis", DataDirs(data_dir, opinosis_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def scan_data_dir(scan_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with three splits of SCAN prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    for name in ("scan_jump", "scan_length", "scan_simple"):
        prepare(name, DataDirs(data_dir, scan_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def sst2_data_dir(sst2_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with SST-2 prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("sst2", DataDirs(data_dir, sst2_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def goemotions_data_dir(goemotions_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with GoEmotions prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("goemotions", DataDirs(data_dir, goemotions_manual_dir))
    return data_dir


@pytest.fixture(scope="session")
def tiny_shakespeare_data_dir(tiny_shakespeare_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with tiny Shakespeare prepared in it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("tiny_shakespeare", DataDirs(data_dir, tiny_shakespeare_manual_dir))
    return data_dir


@pytest.fixture(scope="module")
def compiled_fully() -> Iterator[None]:
    """Compiles as users do, with LLVM's costly passes. Programs that were compiled without them are forgotten."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
    jax.clear_caches()


@pytest.fixture
def x64() -> Iterator[None]:
    """Makes arrays float64 where nothing says otherwise."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser. Without one the test is skipped, or fails if REQUIRE_BROWSER=1."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None or importlib.util.find_spec("playwright") is None:
        reason = f"pages are looked at with playwright and one of {', '.join(BROWSERS)}, and one of the two isn't here"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER=1, and {reason}")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()
