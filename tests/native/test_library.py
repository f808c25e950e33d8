"""The compiled library as Python finds it, what is left out and why, and what tests do where it isn't there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from gru_research.native import Library, build, library
from tests import conftest

STAND_IN = """
#define PUBLIC extern "C" __attribute__((visibility("default")))
PUBLIC int gru_research_ffi_version() { return %(version)s; }
PUBLIC const char *gru_research_instruction_set() { return %(set)s; }
PUBLIC const char *gru_research_self_test() { return %(fault)s; }
"""


def test_it_says_which_instruction_set_it_uses(native_engine: Library) -> None:
    assert native_engine.missing is None and native_engine.instruction_set in ("avx512", "avx2", "neon")


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_without_it_tests_skip_or_fail(required: str, outcome: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "library", lambda: Library(None, "no compiler was found"))
    monkeypatch.setenv("REQUIRE_NATIVE", required)
    with pytest.raises(outcome, match="the native engine isn't there: no compiler was found"):
        conftest.native_or_skip()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the library is looked for instead of its own place; nothing is there."""
    monkeypatch.delenv("GRU_RESEARCH_NATIVE", raising=False)
    monkeypatch.setitem(library.__wrapped__.__globals__, "FILE", tmp_path / "_engine.so")
    monkeypatch.setitem(library.__wrapped__.__globals__, "REASON", tmp_path / "_missing.txt")
    return tmp_path / "_engine.so"


def missing() -> str | None:
    return library.__wrapped__().missing


def test_where_it_was_not_compiled_the_reason_is_said(place: Path) -> None:
    assert missing() == "it wasn't compiled: nobody has installed this checkout"
    place.with_name("_missing.txt").write_text("no C++ compiler was found (g++, clang++, c++)\n")
    assert missing() == "it wasn't compiled: no C++ compiler was found (g++, clang++, c++)"


def test_a_damaged_file_is_left_out(place: Path) -> None:
    place.write_bytes(b"no library")
    found = missing()
    assert found is not None and found.startswith("_engine.so doesn't load: ") and "\n" not in found


@pytest.mark.parametrize(
    ("stand_in", "reason"),
    [
        ({}, "_engine.so doesn't load: "),  # right headers, but it has no kernels to call
        ({"version": "7003"}, "it was compiled for XLA's foreign functions 7.3, this jaxlib has 0."),
        ({"set": "nullptr"}, "this processor has neither AVX2 nor NEON"),
        ({"fault": '"a wrong gradient"'}, "its self-test found a wrong gradient"),
    ],
    ids=["no kernels", "newer headers", "no instruction set", "self-test"],
)
def test_a_library_that_cannot_be_trusted_is_left_out(stand_in: dict[str, str], reason: str, place: Path) -> None:
    if not any(map(shutil.which, build.COMPILERS)):
        pytest.skip("no C++ compiler makes a stand-in")
    values = {"version": "1", "set": '"avx2"', "fault": "nullptr", **stand_in}
    source = place.with_name("stand_in.cc")
    source.write_text(STAND_IN % values)
    subprocess.run([*build.compiler(), "-shared", "-fPIC", str(source), "-o", str(place)], check=True)
    found = missing()
    assert found is not None and found.startswith(reason) and "\n" not in found
