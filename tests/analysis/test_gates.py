"""Statistics of gates, against hand-set ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.analysis import gate_statistics, timescales

pytestmark = pytest.mark.usefixtures("x64")


def test_gates_set_by_hand_have_their_means_shares_and_histogram() -> None:
    cell = gr.GRU(2, param_dtype="float64")
    params = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0), 1))
    params |= {"b_z": jnp.log(jnp.array([0.95 / 0.05, 0.5 / 0.5])), "b_r": jnp.array([-20.0, -20.0])}
    gates = gr.trace(cell, params, np.ones((3, 7, 1)))[2]
    found = gate_statistics(gates)
    np.testing.assert_allclose(found["z"].mean, [0.95, 0.5], rtol=1e-12)
    assert found["z"].high.tolist() == [1, 0] and found["z"].low.tolist() == [0, 0]
    assert found["r"].low.tolist() == [1, 1] and found["r"].density[0] == 1
    assert found["z"].density[10] == 0.5 and found["z"].density.sum() == pytest.approx(1)
    np.testing.assert_allclose(timescales(gates["z"]), -1 / np.log([0.95, 0.5]), rtol=1e-12)


def test_a_state_kept_by_a_gate_falls_to_1_over_e_in_its_timescale() -> None:
    z = np.tile([0.9, 0.999], 50)[:, None]  # alternating: no single 1 / (1 - z) is right
    tau = timescales(z)[0]
    assert np.prod(z) == pytest.approx(np.exp(-100 / tau))
    assert timescales(np.ones((4, 2))).tolist() == [np.inf, np.inf]


def test_only_real_steps_count() -> None:
    gates = {"z": np.array([[[0.2], [0.4], [0.0]]])}
    found = gate_statistics(gates, real=[[True, True, False]])["z"]
    np.testing.assert_allclose(found.mean, [0.3])
    with pytest.raises(ValueError, match=r"real has the shape \(2,\); with z it must be \(1, 3\)"):
        gate_statistics(gates, real=[True, False])
    with pytest.raises(ValueError, match="z has no step that counts"):
        gate_statistics(gates, real=[[False] * 3])
    with pytest.raises(ValueError, match="a gate's are from 0 to 1"):
        timescales(np.full((2, 2), -0.1))
