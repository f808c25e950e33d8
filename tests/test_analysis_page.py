"""The examples of docs/reference/analysis.md run and print the output shown below them."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

from gru_research import analysis

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "analysis.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```\n\n```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@pytest.mark.parametrize(("code", "printed"), EXAMPLES, ids=[str(i) for i in range(len(EXAMPLES))])
def test_an_example_prints_what_the_page_says(code: str, printed: str) -> None:
    """Compares words exactly, and numbers to a tenth, since machines and versions round differently."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    found = out.getvalue()
    assert NUMBER.sub("#", found) == NUMBER.sub("#", printed)
    numbers = [np.array(NUMBER.findall(text), float) for text in (found, printed)]
    np.testing.assert_allclose(*numbers, rtol=0.1)


def test_every_analysis_has_an_example_of_some_ten_lines() -> None:
    assert PAGE.count("```python") == len(EXAMPLES)
    functions = [name for name in analysis.__all__ if name[0].islower()]
    codes = [code for code, _ in EXAMPLES]
    assert all(any(f"{name}(" in code for code in codes) and f"analysis.{name}\n" in PAGE for name in functions)
    assert max(sum(map(bool, code.splitlines())) for code in codes) <= 10
