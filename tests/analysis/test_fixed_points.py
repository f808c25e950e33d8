"""Fixed points of systems whose fixed points are known, and linearised dynamics beside finite differences."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import gru_research as gr
from gru_research.analysis import fixed_points, visited_carries

CELLS: dict[str, Any] = {"gru": gr.GRU(3), "lstm": gr.LSTM(3), "rnn": gr.VanillaRNN(3)}


def test_a_linear_rnn_has_one_with_the_eigenvalues_of_its_kernel() -> None:
    cell = gr.VanillaRNN(3, activation="identity")
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    kernel = turned @ np.diag([1.2, 0.9, -0.3]) @ turned.T
    params = jax.tree.map(np.asarray, cell.init(jax.random.key(0), 2)) | {
        "U_h": kernel,
        "b_h": np.array([1.0, 0.0, -1.0]),
    }
    x = np.array([0.5, -1.0])
    found = fixed_points(cell, params, x, rng.normal(0, 5, (20, 3)))
    drive = np.asarray(params["W_h"], np.float64).T @ x + params["b_h"]
    np.testing.assert_allclose(found.points, np.linalg.solve(np.eye(3) - kernel.T, drive)[None], rtol=1e-9)
    np.testing.assert_allclose(found.eigenvalues[0], [1.2, 0.9, -0.3], rtol=1e-9)
    np.testing.assert_allclose(found.timescales[0], np.abs(1 / np.log([1.2, 0.9, 0.3])), rtol=1e-8)
    np.testing.assert_allclose(found.input_jacobians[0], np.asarray(params["W_h"]).T, rtol=1e-6)
    assert found.unstable.tolist() == [1] and found.counts.tolist() == [20]


def test_a_bistable_unit_has_two_attractors_and_a_saddle_between() -> None:
    """h = tanh(2 h) at 0 and at +-0.957504."""
    cell = gr.VanillaRNN(1)
    params = {"W_h": np.zeros((1, 1)), "U_h": np.array([[2.0]]), "b_h": np.zeros(1)}
    found = fixed_points(cell, params, np.zeros(1), np.linspace(-1, 1, 41)[:, None])
    order = np.argsort(found.points[:, 0])
    np.testing.assert_allclose(found.points[order, 0], [-0.9575040240772687, 0, 0.9575040240772687], atol=1e-8)
    slope = 2 * (1 - 0.9575040240772687**2)
    np.testing.assert_allclose(found.eigenvalues[order, 0], [slope, 2, slope], rtol=1e-6)
    assert found.unstable[order].tolist() == [0, 1, 0]
    assert found.counts.sum() == 41


@pytest.mark.parametrize("name", CELLS)
def test_linearised_dynamics_are_finite_differences(name: str, x64: None) -> None:
    cell = CELLS[name]
    params = jax.tree.map(lambda a: 1.5 * np.asarray(a, np.float64), cell.init(jax.random.key(2), 2))
    x = np.array([0.3, -0.2])
    xs = np.random.default_rng(0).normal(size=(4, 10, 2))
    found = fixed_points(cell, params, x, visited_carries(cell, params, xs, 20))
    assert len(found.points) >= 1 and (found.speeds <= 1e-16).all()
    flat, unflatten = ravel_pytree(cell.initial_carry(params, ()))
    assert found.points.shape[1] == flat.size == (6 if name == "lstm" else 3)

    def move(carry: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.asarray(ravel_pytree(cell.step(params, unflatten(jnp.asarray(carry)), jnp.asarray(x))[0])[0])

    for k, point in enumerate(found.points):
        np.testing.assert_allclose(move(point, x), point, atol=2e-8)
        step = 1e-6
        by_carry = np.stack(
            [(move(point + d, x) - move(point - d, x)) / (2 * step) for d in step * np.eye(len(point))], 1
        )
        by_input = np.stack([(move(point, x + d) - move(point, x - d)) / (2 * step) for d in step * np.eye(2)], 1)
        np.testing.assert_allclose(found.jacobians[k], by_carry, atol=1e-8)
        np.testing.assert_allclose(found.input_jacobians[k], by_input, atol=1e-8)
        values = np.linalg.eigvals(by_carry)
        for value in found.eigenvalues[k]:
            assert np.abs(values - value).min() < 1e-6
        moved = found.jacobians[k] @ found.right[k]
        np.testing.assert_allclose(moved, found.right[k] * found.eigenvalues[k], atol=1e-10)
        np.testing.assert_allclose(found.left[k].conj().T @ found.right[k], np.eye(len(point)), atol=1e-8)


def test_slow_points_are_kept_by_a_larger_tolerance() -> None:
    """h = tanh(1.05 h + .02) passes 0 slowly without resting there."""
    cell = gr.VanillaRNN(1)
    params = {"W_h": np.zeros((1, 1)), "U_h": np.array([[1.05]]), "b_h": np.array([0.02])}
    starts = np.linspace(-0.6, 0.3, 31)[:, None]
    resting = fixed_points(cell, params, np.zeros(1), starts)
    slow = fixed_points(cell, params, np.zeros(1), starts, tolerance=1e-3)
    assert len(resting.points) == 1 and len(slow.points) >= 2
    assert (np.diff(slow.speeds) >= 0).all() and slow.speeds[-1] > 1e-16


def test_there_may_be_none() -> None:
    cell = gr.VanillaRNN(2, activation="identity")
    params = {"W_h": np.zeros((1, 2)), "U_h": np.eye(2), "b_h": np.ones(2)}  # every step adds 1
    found = fixed_points(cell, params, np.zeros(1), np.zeros((3, 2)) + np.arange(3)[:, None])
    assert (
        found.points.shape == (0, 2) and found.eigenvalues.shape == (0, 2) and found.input_jacobians.shape == (0, 2, 1)
    )
    assert found.unstable.shape == (0,) and found.timescales.shape == (0, 2)


def test_far_points_are_left_out() -> None:
    cell = gr.VanillaRNN(1, activation="identity")
    params = {"W_h": np.zeros((1, 1)), "U_h": np.array([[0.5]]), "b_h": np.array([50.0])}  # rests at 100
    starts = np.linspace(-1, 1, 5)[:, None]
    assert not len(fixed_points(cell, params, np.zeros(1), starts).points)
    np.testing.assert_allclose(fixed_points(cell, params, np.zeros(1), starts, outlier=1e3).points, [[100.0]])


def test_visited_carries_are_those_of_the_runs() -> None:
    cell = gr.GRU(3)
    params = cell.init(jax.random.key(0), 2)
    xs = np.random.default_rng(0).normal(size=(2, 4, 2)).astype(np.float32)
    drawn = np.asarray(visited_carries(cell, params, xs, 100))
    _, hs = gr.unroll(cell, params, xs)
    before = np.concatenate([np.zeros((2, 1, 3), np.float32), np.asarray(hs)[:, :-1]], 1).reshape(-1, 3)
    assert drawn.shape == (8, 3)
    np.testing.assert_allclose(np.sort(drawn, 0), np.sort(before, 0), atol=1e-6)
    assert visited_carries(cell, params, xs, 5).shape == (5, 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": np.zeros((1, 2))}, r"x has the shape \(1, 2\); it must be one input"),
        ({"starts": np.zeros((4, 2))}, r"starts have \(2,\) numbers each; a carry of this cell has 3"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"distance": float("nan")}, "distance"),
        ({"outlier": 0.0}, "outlier"),
        ({"iterations": 0}, "iterations"),
    ],
)
def test_wrong_arguments(change: dict[str, Any], says: str) -> None:
    cell = gr.GRU(3)
    given = {"x": np.zeros(2), "starts": np.zeros((4, 3)), **change}
    with pytest.raises(ValueError, match=says):
        fixed_points(cell, cell.init(jax.random.key(0), 2), given.pop("x"), given.pop("starts"), **given)
    with pytest.raises(ValueError, match="it must be sequences"):
        visited_carries(cell, cell.init(jax.random.key(0), 2), np.zeros((3, 2)))
