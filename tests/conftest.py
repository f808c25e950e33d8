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


def _raw(name: str) -> Any:
    """Returns a fixture: the folder of a data set's raw files."""

    @pytest.fixture(scope="session")
    def manual_dir() -> str:
        return _raw_files(name)

    return manual_dir


aeslc_manual_dir = _raw("aeslc")
an4_manual_dir = _raw("an4_mfcc")
chorales_manual_dir = _raw("jsb_chorales_satb")
clinc_oos_manual_dir = _raw("clinc_oos")
dialog_babi_manual_dir = _raw("dialog_babi")
ett_manual_dir = _raw("ett")
fsdd_manual_dir = _raw("fsdd")
goemotions_manual_dir = _raw("goemotions")
mnist_manual_dir = _raw("mnist")
multi30k_manual_dir = _raw("multi30k")
music_manual_dir = _raw("music_poly")
opinosis_manual_dir = _raw("opinosis")
scan_manual_dir = _raw("scan")
sst2_manual_dir = _raw("sst2")
tiny_shakespeare_manual_dir = _raw("tiny_shakespeare")


@pytest.fixture(scope="session")
def chatterbot_manual_dir() -> str:
    return f"{_raw_files('chatterbot_corpus')}/chatterbot_corpus/data/english"


@pytest.fixture(scope="session")
def nab_manual_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A flat folder of links, as a download makes it: the repository has folders."""
    flat = tmp_path_factory.mktemp("nab")
    raw = Path(_raw_files("nab"))
    for path in [*raw.glob("data/*/*.csv"), raw / "labels" / "combined_windows.json"]:
        (flat / path.name).symlink_to(path)
    return str(flat)


def _prepared(raw: str, *names: str) -> Any:
    """Returns a fixture: a `data_dir` with the data sets `names`, or the one called `raw`, prepared from raw files.

    All tests share it: copy it before damaging it.
    """

    @pytest.fixture(scope="session")
    def data_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
        manual_dir, folder = request.getfixturevalue(f"{raw}_manual_dir"), str(tmp_path_factory.mktemp("data_dir"))
        for name in names or (raw,):
            prepare(name, DataDirs(folder, manual_dir))
        return folder

    return data_dir


aeslc_data_dir = _prepared("aeslc")
an4_data_dir = _prepared("an4")
chatterbot_data_dir = _prepared("chatterbot")
chorales_data_dir = _prepared("chorales")
clinc_oos_data_dir = _prepared("clinc_oos")
dialog_babi_data_dir = _prepared("dialog_babi", *(f"dialog_babi_{task}" for task in range(1, 7)))
ett_data_dir = _prepared("ett", "etth1", "etth2")
fsdd_data_dir = _prepared("fsdd")
goemotions_data_dir = _prepared("goemotions")
mnist_data_dir = _prepared("mnist")
multi30k_data_dir = _prepared("multi30k")
music_data_dir = _prepared("music", "music_jsb", "music_musedata", "music_nottingham", "music_piano_midi")
nab_data_dir = _prepared("nab")
opinosis_data_dir = _prepared("opinosis")
scan_data_dir = _prepared("scan", "scan_jump", "scan_length", "scan_simple")
sst2_data_dir = _prepared("sst2")
tiny_shakespeare_data_dir = _prepared("tiny_shakespeare")


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
