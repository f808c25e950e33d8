"""The code of docs/new_model.md, run as it stands there: its model in an experiment, its tests, its check."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.models import MODELS, encoder_decoder
from gru_research.records import FILE_NAME, read
from gru_research.runs.comparison import run_comparison
from gru_research.spec import Generation, Spec
from gru_research.training import make_plan
from tests import pages

PAGE = "new_model.md"
MODEL, TESTS, CHECK = pages.blocks(PAGE)
CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 3, "validation_size": 5, "test_size": 5},
    "cells": {"gru": {"kind": "gru", "hidden_size": 8}, "lstm": {"kind": "lstm"}},
    "updates": 2,
    "batch_size": 4,
    "eval_every": 1,
    "seeds": 1,
    "model": {"kind": "pooled", "dropout": 0.1},
}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line in MODELS, as the page has it."""
    (line,) = re.findall(r'`("\w+": \w+,)`', pages.text(PAGE))
    for name, made in eval(f"{{{line}}}", pages.module("pooled", MODEL, PAGE)).items():
        monkeypatch.setitem(MODELS, name, made)


def test_its_model_is_matched_and_trains(tmp_path: Path) -> None:
    plan = make_plan(experiment(CONFIG))
    gru, lstm = plan.cells
    assert gru.parameters == 3 * (2 + 8 + 1) * 8 + 8 + 8 + 8 + 1
    assert lstm.parameters == 4 * (2 + lstm.hidden_size + 1) * lstm.hidden_size + 2 * lstm.hidden_size + 1
    assert run_comparison(make_plan(experiment(CONFIG | {"only": "gru"})), tmp_path / "run", DataDirs())
    run = read(tmp_path / "run" / FILE_NAME)
    assert run.finished and run.header.config["model"] == {"kind": "pooled", "dropout": 0.1}
    losses = [evaluation.validation_loss for evaluation in run.evaluations]
    assert np.isfinite(losses).all() and len(set(losses)) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"kind": "pooled", "dropout": 1.0}}, "config.model.dropout=1.0 must be at least 0 and below 1"),
        ({"task": {"name": "parity"}}, "config.model.kind='pooled' reads numbers and gives one answer, here answers="),
        ({"model": {"kind": "pooled", "droput": 0.5}}, "config.model has no field 'droput'; did you mean 'dropout'"),
    ],
)
def test_a_mistake_is_one_line(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(experiment(CONFIG | change))
    assert str(caught.value).startswith(said)
    if "1.0" in said:
        assert f"`{caught.value}`" in pages.text(PAGE)


@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", TESTS, re.MULTILINE))
def test_its_tests_pass(name: str) -> None:
    pages.module("test_pooled", TESTS, PAGE)[name]()


def test_its_check_of_generation_passes_a_model_that_agrees_and_no_other() -> None:
    check = pages.module("check", CHECK, PAGE)["check_generation"]
    tokens = jax.ShapeDtypeStruct((3,), jnp.int32)
    spec = Spec({"inputs": tokens, "targets": tokens}, 4, "generated", vocabulary=2, generation=Generation(3, 2, 3))
    model = encoder_decoder(spec, gr.GRU(3), embedding_size=2)
    params = model.init(jax.random.key(0), spec.example)
    batch = {"inputs": jnp.array([[0, 1, 1], [1, 0, 0]]), "targets": jnp.array([[1, 1, 2], [0, 0, 2]])}
    check(model, params, batch)

    class Forgetful:
        apply, start = model.apply, model.start

        def step(self, params: Any, state: Any, tokens: Any) -> Any:
            return state, model.step(params, state, 0 * tokens)[1]

    with pytest.raises(AssertionError):
        check(Forgetful(), params, batch)
