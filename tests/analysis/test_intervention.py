"""A cell with gates held and units silenced, against the same done by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.analysis import intervene

pytestmark = pytest.mark.usefixtures("x64")
XS = np.random.default_rng(0).normal(size=(3, 6, 2))


def test_holding_the_reset_gate_at_1_is_another_bias() -> None:
    cell = gr.GRU(4, reset="before", param_dtype="float64")
    params = cell.init(jax.random.key(0), 2)
    held = jax.jit(lambda: gr.unroll(*intervene(cell, params, fixed={"r": 1.0}), XS))()
    zeros = {name: jnp.zeros_like(params[name]) for name in ("W_r", "U_r")}
    open_gate = params | zeros | {"b_r": jnp.full(4, 50.0)}  # sigmoid(50) is 1 in float64
    np.testing.assert_allclose(held[1], gr.unroll(cell, open_gate, XS)[1], rtol=1e-12)


def test_a_gate_held_at_one_value_a_unit_is_in_the_trace() -> None:
    cell = gr.LSTM(3, param_dtype="float64")
    values = jnp.array([0.1, 0.5, 0.9])
    gates = gr.trace(*intervene(cell, cell.init(jax.random.key(0), 2), fixed={"f": values}), XS)[2]
    np.testing.assert_allclose(gates["f"], np.broadcast_to(values, (3, 6, 3)))


@pytest.mark.parametrize("cell", [gr.GRU(4, param_dtype="float64"), gr.LSTM(4, param_dtype="float64")])
def test_a_silenced_unit_is_held_after_every_step_and_the_others_see_it(cell: gr.Cell) -> None:
    params = cell.init(jax.random.key(0), 2)
    held = jnp.array([0.0, 0.3, 0.0, 0.0])
    changed, mine = intervene(cell, params, silenced=[1], held=held)
    ys = gr.unroll(changed, mine, XS)[1]
    assert ys is not None
    carry, expected = cell.initial_carry(params, (3,)), []
    for t in range(6):
        carry, y = cell.step(params, carry, XS[:, t])
        y = y.at[:, 1].set(0.3)
        carry = (carry[0], y) if isinstance(carry, tuple) else y
        expected.append(y)
    np.testing.assert_allclose(ys, jnp.stack(expected, 1), rtol=1e-12)


def test_nothing_held_changes_nothing_and_a_stack_takes_it() -> None:
    cell = gr.GRU(4, param_dtype="float64")
    params = cell.init(jax.random.key(0), 2)
    changed, mine = intervene(cell, params)
    plain, same = gr.unroll(cell, params, XS)[1], gr.Stack((changed,)).apply([mine], XS)[1]
    np.testing.assert_allclose(same, plain, rtol=1e-12)
    assert jax.tree.structure(changed.init(jax.random.key(0), 2)) == jax.tree.structure(mine)


def test_what_does_not_fit_is_named() -> None:
    cell = gr.GRU(4)
    params = cell.init(jax.random.key(0), 2)
    with pytest.raises(ValueError, match=r"fixed\['r'\] has the shape \(3,\)"):
        intervene(cell, params, fixed={"r": np.ones(3)})
    with pytest.raises(ValueError, match=r"silenced=\(4,\) must be numbers of units, 0 to 3"):
        intervene(cell, params, silenced=[4])
    with pytest.raises(ValueError, match="fixed='f' is unknown; choose from r, z, n"):
        gr.unroll(*intervene(cell, params, fixed={"f": 1.0}), XS)


def test_units_may_be_named_by_a_mask_that_is_traced() -> None:
    cell = gr.GRU(4, param_dtype="float64")
    params = cell.init(jax.random.key(0), 2)
    by_mask = jax.jit(lambda mask: gr.unroll(*intervene(cell, params, silenced=mask), XS)[1])(np.arange(4) == 2)
    np.testing.assert_allclose(by_mask, gr.unroll(*intervene(cell, params, silenced=[2]), XS)[1], rtol=1e-12)
    with pytest.raises(ValueError, match=r"silenced has the shape \(3,\); as True and False it must be \(4,\)"):
        intervene(cell, params, silenced=np.ones(3, bool))


@pytest.mark.parametrize("cell", [gr.GRU(4, param_dtype="float64"), gr.LSTM(4, param_dtype="float64")])
def test_gates_and_units_are_held_at_the_steps_that_the_last_feature_names(cell: gr.Cell) -> None:
    params = cell.init(jax.random.key(0), 2)
    on = np.random.default_rng(1).random((3, 6)) < 0.5
    gate = "z" if isinstance(cell, gr.GRU) else "f"
    options = {"fixed": {gate: 0.25}, "silenced": [1], "held": 0.5}
    ys = gr.unroll(*intervene(cell, params, **options, by_step=True), np.concatenate([XS, on[..., None]], -1))[1]
    assert ys is not None
    held, mine = intervene(cell, params, **options)
    for row in range(3):
        carry = cell.initial_carry(params, ())
        for t in range(6):
            step = held.step(mine, carry, XS[row, t]) if on[row, t] else cell.step(params, carry, XS[row, t])
            carry = step[0]
            np.testing.assert_allclose(ys[row, t], step[1], rtol=1e-12)
    with pytest.raises(ValueError, match="fixed='q' is unknown"):
        gr.unroll(*intervene(cell, params, fixed={"q": 1.0}, by_step=True), np.concatenate([XS, on[..., None]], -1))
