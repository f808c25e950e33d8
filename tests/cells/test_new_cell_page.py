"""The code of docs/new_cell.md runs as printed, and its cell works in an experiment."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from experiments.diagnosis.linear_probes import probe_layer
from gru_research.cells import CELLS
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.records import FILE_NAME, read
from gru_research.runs.comparison import run_comparison
from gru_research.runs.trained import TrainedCell, initial_parameters
from gru_research.training import make_plan

PAGE = Path(__file__).resolve().parents[2] / "docs" / "new_cell.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """Runs the page's Python blocks in order. Returns the names that they define."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    names: dict[str, Any] = {"__name__": "new_cell"}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def light_unit(params: Any, xs: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Computes the equations of the cell's docstring row by row."""
    params = {key: np.asarray(value, np.float64) for key, value in params.items()}
    ys = []
    for x in xs:
        f = 1 / (1 + np.exp(-(x @ params["W_f"] + params["b_f"] + h @ params["U_f"])))
        h = f * h + (1 - f) * np.tanh(x @ params["W_n"] + params["b_n"])
        ys.append(h)
    return np.stack(ys)


def test_its_blocks_run_and_give_what_they_say(page: dict[str, Any]) -> None:
    # The second block ends with a stack's outputs over rows of 5 and 2 steps, and gates of a reversed trace.
    assert page["ys"].shape == (2, 5, 8) and (np.asarray(page["ys"][1, 2:]) == 0).all()
    assert (np.asarray(page["ys"][0]) != 0).all() and len(page["carries"]) == 2
    assert {name: a.shape for name, a in page["gates"].items()} == {"f": (2, 5, 8), "n": (2, 5, 8)}


def test_its_cell_unrolls_over_lengths_as_its_equations_say(page: dict[str, Any]) -> None:
    cell, params = page["cell"], page["params"]
    xs, carry = np.random.default_rng(0).normal(size=(2, 5, 3)), np.random.default_rng(1).normal(size=(2, 8))
    run = jax.jit(lambda xs, carry: gr.unroll(cell, params, xs, initial_carry=carry, lengths=jnp.array([5, 2])))
    final, ys = run(*(a.astype("float32") for a in (xs, carry)))
    for row, length in ((0, 5), (1, 2)):
        expected = light_unit(params, xs[row, :length], carry[row])
        np.testing.assert_allclose(ys[row, :length], expected, rtol=2e-6, atol=2e-6)
        np.testing.assert_allclose(final[row], expected[-1], rtol=2e-6, atol=2e-6)
    assert (np.asarray(ys[1, 2:]) == 0).all()
    assert hash(cell) == hash(page["LightUnit"](8)) and cell == page["LightUnit"](8)


def test_its_changed_cell_runs_and_is_differentiated_by_its_own_steps(page: dict[str, Any]) -> None:
    cell, xs = page["leaky"], jax.random.normal(jax.random.key(3), (2, 5, 3))
    params = cell.init(jax.random.key(2), 3)

    def own(params: Any) -> Any:
        h, total = jnp.zeros((2, 8)), jnp.zeros(())
        for t in range(5):
            h = 0.9 * h + 0.1 * jnp.tanh(xs[:, t] @ params["W_h"] + params["b_h"] + h @ params["U_h"])
            total = total + (h**2).sum()
        return total

    found = jax.grad(lambda p: (gr.unroll(cell, p, xs)[1] ** 2).sum())(params)  # type: ignore[operator]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, jax.grad(own)(params))


EXPERIMENT: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 30, "test_size": 30},
    "cells": {"gru": {"kind": "gru", "hidden_size": 4}, "light": {"kind": "light"}},
    "only": "light",
    "updates": 4,
    "batch_size": 5,
    "eval_every": 2,
    "seeds": 1,
}


def test_its_cell_has_timescales_in_a_diagnosis(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CELLS, "light", page["LightUnit"])
    plan = make_plan(experiment(EXPERIMENT))
    params = initial_parameters(plan, plan.cells[0], (0, 1))
    layer = params["stack"][0]
    layer["W_f"], layer["U_f"] = np.zeros_like(layer["W_f"]), np.zeros_like(layer["U_f"])
    layer["b_f"] = np.stack([np.linspace(-1, 2, 7), np.linspace(0, 4, 7)]).astype("float32")
    inputs = np.random.default_rng(0).uniform(size=(3, 4, 2)).astype("float32")
    found = probe_layer(TrainedCell(plan.cells[0], (0, 1), params, params), params, {"inputs": inputs}, {})
    # The gate is sigmoid(b) at every step: what is left after n steps is sigmoid(b)^n, 1/e after -1 / log sigmoid(b).
    np.testing.assert_allclose(found.timescales, 1 / np.log1p(np.exp(-layer["b_f"])), rtol=1e-5)
    assert found.trace.proper == ["f"] and found.trace.title("f") == "forget gate f"


def test_its_line_makes_an_experiment(page: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CELLS, "light", page["LightUnit"])
    run_comparison(make_plan(experiment(EXPERIMENT)), tmp_path / "run", DataDirs())
    records = read(tmp_path / "run" / FILE_NAME)
    assert records.finished and records.cells[0].cell_kind == "light"
    # The size whose two kernels of 2 inputs, one of H, two biases and readout are nearest to the GRU's 93 numbers.
    assert records.cells[0].hidden_size == 7 and records.cells[0].parameters == 7 * (2 * 2 + 7 + 2) + 8
    losses = [e.train_loss for e in records.evaluations]
    assert losses[0] is None and all(np.isfinite(loss) for loss in losses[1:])
    with pytest.raises(UserError, match=r"config\.cells\.light has no field 'gate'"):
        make_plan(
            experiment(EXPERIMENT | {"cells": EXPERIMENT["cells"] | {"light": {"kind": "light", "gate": "relu"}}})
        )
