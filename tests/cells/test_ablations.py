"""Ablated cells against the whole cells with the gate held fixed: values and gradients.

Tolerances: 1e-12 in float64, 1e-6 against finite differences of size 1e-6.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.adapters import weights
from tests.oracles import gru_step, lstm_step

pytestmark = pytest.mark.usefixtures("x64")
I, H, B, T = 2, 3, 2, 4  # noqa: E741
XS = np.random.default_rng(0).normal(size=(B, T, I))
ABLATED = {
    "gru": (gr.GRU(H, update="none", param_dtype="float64"), {"z": 0.0}, 2 / 3),
    "gru_before": (gr.GRU(H, reset="before", update="none", param_dtype="float64"), {"z": 0.0}, 2 / 3),
    "lstm_input": (gr.LSTM(H, without="input", param_dtype="float64"), {"i": 1.0}, 3 / 4),
    "lstm_forget": (gr.LSTM(H, without="forget", peepholes=True, param_dtype="float64"), {"f": 1.0}, 3 / 4),
    "lstm_output": (gr.LSTM(H, without="output", peepholes=True, param_dtype="float64"), {"o": 1.0}, 3 / 4),
    "lstm_coupled": (gr.LSTM(H, without="coupled", peepholes=True, param_dtype="float64"), {}, 3 / 4),
}


def parameters(cell: Any) -> dict[str, jax.Array]:
    """Returns random parameters, none of them 0, biases and peepholes included."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), I))
    return {name: jnp.asarray(rng.normal(size=a.shape)) for name, a in shapes.items()}


def whole(cell: Any, params: dict[str, Any], x: np.ndarray, carry: tuple[np.ndarray, ...], held: dict[str, Any]) -> Any:
    """Runs the whole cell's oracle with the missing gate held, or for "coupled" computed from the forget gate."""
    full = {f"{kind}_{g}": np.zeros((I if kind == "W" else H, H)) for kind in "WU" for g in "rzifgo"}
    full |= {f"{kind}_{g}": np.zeros(H) for kind in "bp" for g in "rzifgo"} | {
        k: np.asarray(a) for k, a in params.items()
    }
    fixed = {gate: np.full(H, value) for gate, value in held.items()}
    if isinstance(cell, gr.GRU):
        return gru_step(full, carry, x, fixed, cell.reset)
    step = functools.partial(lstm_step, full, carry, x, peepholes=cell.peepholes)
    if cell.without == "coupled":
        fixed = {"i": 1 - step(fixed={})[2]["f"]}
    return step(fixed=fixed)


@pytest.mark.parametrize("name", ABLATED)
def test_it_is_the_whole_cell_with_the_gate_held_and_has_its_gradient(name: str) -> None:
    cell, held, share = ABLATED[name]
    params = parameters(cell)
    kernels = sum(a.size for key, a in params.items() if key[0] in "WU")
    gates = 3 if isinstance(cell, gr.GRU) else 4
    assert kernels / (gates * (I * H + H * H)) == pytest.approx(share)

    def run(params: Any, backend: str) -> Any:
        ys = gr.unroll(cell, params, XS, options=gr.UnrollOptions(backend=backend))[1]
        return jnp.sum(jnp.sin(ys)), ys

    by_hand = jax.jit(jax.value_and_grad(functools.partial(run, backend="vjp"), has_aux=True))
    (value, ys), gradient = by_hand(params)
    count = 1 if isinstance(cell, gr.GRU) else 2
    for b in range(B):
        carry = (np.zeros(H),) * count
        for t in range(T):
            carry, y, _ = whole(cell, params, XS[b, t], carry, held)
            np.testing.assert_allclose(ys[b, t], y, rtol=1e-12, atol=1e-12)
    assert value == pytest.approx(np.sin(ys).sum())

    plain = jax.jit(jax.grad(lambda p: run(p, "autodiff")[0]))(params)
    direction = {key: jnp.asarray(np.random.default_rng(2).normal(size=a.shape)) for key, a in params.items()}
    moved = [{key: a + sign * 1e-6 * direction[key] for key, a in params.items()} for sign in (1, -1)]
    slope = (by_hand(moved[0])[0][0] - by_hand(moved[1])[0][0]) / 2e-6
    along = sum(jnp.vdot(gradient[key], direction[key]) for key in params)
    np.testing.assert_allclose(along, slope, rtol=1e-6)
    for key in params:
        np.testing.assert_allclose(gradient[key], plain[key], rtol=1e-10, atol=1e-12, err_msg=key)


def test_traced_are_the_gates_that_are_left() -> None:
    for name, gates in (("gru", "rn"), ("lstm_input", "fgo"), ("lstm_coupled", "fgo"), ("lstm_output", "ifg")):
        cell = ABLATED[name][0]
        shapes = jax.eval_shape(lambda cell=cell: gr.trace(cell, cell.init(jax.random.key(0), I), XS)[2])
        assert set(shapes) == set(gates)
    cell, x = ABLATED["gru"][0], jnp.ones((B, I))
    params = parameters(cell)
    with pytest.raises(ValueError, match="fixed='z' is unknown; choose from r, n"):
        cell.gates(params, cell.initial_carry(params, (B,)), cell.project(params, x), {"z": jnp.ones((B, H))})


def test_blocks_can_do_without_an_update_gate_too() -> None:
    cell = gr.BlockGRU(4, heads=2, update="none", param_dtype="float64")
    params = cell.init(jax.random.key(0), I)
    assert not any(name.endswith("_z") for name in params)
    assert gr.unroll(cell, params, XS)[1].shape == (B, T, 4)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: gr.GRU(H, reset="none", update="none"), "leaves no gate: that is VanillaRNN"),
        (lambda: gr.GRU(H, update="none", chrono=10), "no update gate for update_bias=0.0, chrono=10"),
        (lambda: gr.GRU(H, update="never"), "update='never' is unknown; choose from gate, none"),
        (lambda: gr.LSTM(H, without="forget", forget_bias=2.0), "no forget gate for forget_bias=2.0"),
        (lambda: gr.LSTM(H, without="forget", chrono=9), "no forget gate for forget_bias=1.0, chrono=9"),
        (
            lambda: gr.LSTM(H, without="cell"),
            "without='cell' is unknown; choose from nothing, input, forget, output, coupled",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_no_library_has_them() -> None:
    for layer, cell, absent in (
        ("torch.GRU", gr.GRU(H, update="none"), "U_z, W_z"),
        ("torch.LSTM", gr.LSTM(H, without="coupled"), "U_i, W_i"),
    ):
        with pytest.raises(ValueError, match=f"has no {absent}, which {layer} has"):
            weights.to_library(layer, cell, cell.init(jax.random.key(0), I))
