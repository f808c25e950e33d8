"""The compiled library as Python finds it, and what tests do where it isn't there."""

import pytest

from gru_research.native import Library
from tests import conftest


def test_it_says_which_instruction_set_it_uses(native_engine: Library) -> None:
    assert native_engine.missing is None and native_engine.instruction_set in ("avx512", "avx2", "neon")


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_without_it_tests_skip_or_fail(required: str, outcome: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "library", lambda: Library(None, "no compiler was found"))
    monkeypatch.setenv("REQUIRE_NATIVE", required)
    with pytest.raises(outcome, match="the native engine isn't there: no compiler was found"):
        conftest.native_or_skip()
