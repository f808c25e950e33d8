"""The code of docs/decoding.md, run: it prints what the page says, and its own decoder picks what it promises."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.decoding import DECODERS
from gru_research.models import Generator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "decoding.md").read_text()
EXAMPLE, PRINTED, OWN = re.findall(r"^```(?:python)?\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_example_prints_what_the_page_says() -> None:
    out = io.StringIO()
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(out):
        exec(EXAMPLE, names)
    assert out.getvalue() == PRINTED
    model, params = names["Bigrams"](), names["params"]
    assert isinstance(model, Generator)
    targets = jnp.array([[1, 3, 0, 0]])
    logits = model.apply(params, {"inputs": jnp.zeros(1, int), "targets": targets})
    np.testing.assert_array_equal(logits[:, 0], model.start(params, {"inputs": jnp.zeros(1, int)})[1])
    for t in range(3):
        np.testing.assert_array_equal(logits[:, t + 1], model.step(params, (), targets[:, t])[1])


def test_its_own_decoder_takes_the_second_best_token() -> None:
    names: dict[str, Any] = {}
    exec(EXAMPLE.split("follows =")[0], names)
    exec(OWN, names)
    params = {"logits": jnp.log(jnp.array([[0.1, 0.2, 0.3, 0.4, 0.0], *[[0.3, 0.3, 0.25, 0.1, 0.05]] * 4]))}
    found = names["second_best"](names["Bigrams"](), params, {"inputs": jnp.zeros(1, int)}, end=0, longest=3)
    np.testing.assert_array_equal(found.tokens, [[2, 1, 1]])


def test_every_decoder_is_in_the_reference() -> None:
    assert all(f"::: gru_research.decoding.{name}\n" in PAGE for name in DECODERS)
