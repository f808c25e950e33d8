"""Gradients of `unroll` against central differences of loops in NumPy.

The tolerance is 1e-8 in float64, on values of order 1. If two methods must do the same arithmetic, bits are compared.
"""

from typing import Any

import jax
import numpy as np
import pytest

import gru_research as gr
from tests.oracles import VARIANTS, pack, sequence
from tests.time_loop.unrolling import (
    EVERY_STEP,
    SCENARIOS,
    arguments,
    assert_close,
    assert_same_bits,
    compiled,
    gradients,
    loss,
    real_steps,
)

pytestmark = pytest.mark.usefixtures("x64")


def finite_differences(name: str, direction: Any, base: Any, step: float = 1e-5, **streams: Any) -> float:
    """Returns the derivative of the oracle's loss along `direction`, by fourth-order central differences.

    With layer normalisation, second-order differences are off by 1e-6.
    """

    def value(sign: float) -> float:
        params, xs, carry = jax.tree.map(lambda a, d: a + sign * step * d, base, direction)
        return float(loss(*sequence(name, params, xs, initial_carry=carry, **streams)[:2]))

    return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * step)


def assert_gradients(name: str, grads: Any, base: Any, **streams: Any) -> None:
    """Compares each array's gradient with finite differences along one random direction."""
    rng = np.random.default_rng(11)
    leaves, tree = jax.tree.flatten(base)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(base)]
    for i, (path, grad) in enumerate(zip(paths, jax.tree.leaves(grads), strict=True)):
        direction = [np.zeros_like(leaf) for leaf in leaves]
        direction[i] = rng.normal(size=leaves[i].shape)
        numeric = finite_differences(name, jax.tree.unflatten(tree, direction), base, **streams)
        np.testing.assert_allclose((grad * direction[i]).sum(), numeric, rtol=1e-8, atol=1e-8, err_msg=path)


@pytest.mark.parametrize(
    ("name", "reverse", "checkpoint"),
    [
        *((name, False, 0) for name in VARIANTS),
        ("gru_after", True, 3),
        ("gru_after", False, 4),
    ],
)
def test_gradients_are_finite_differences_of_the_oracle(name: str, reverse: bool, checkpoint: int) -> None:
    base = arguments(name)
    run = gradients(name, reverse, gr.UnrollOptions(checkpoint=checkpoint))
    for scenario in ("none", "all"):
        streams = EVERY_STEP | SCENARIOS[scenario]
        (value, results), (by_params, by_xs, by_carry) = run(*base[:2], pack(base[2]), streams)
        expected = sequence(name, *base[:2], initial_carry=base[2], reverse=reverse, **streams)
        assert_close(results, expected[:2])
        np.testing.assert_allclose(value, loss(*expected[:2]), rtol=1e-12)
        grads = (by_params, by_xs, tuple(jax.tree.leaves(by_carry)))
        assert_gradients(name, grads, base, reverse=reverse, **streams)
        assert (np.asarray(by_xs)[~real_steps(scenario)] == 0).all()
        # The learned carry is used where a segment starts, and there alone.
        learned = [np.abs(by_params[state]).max() for state in VARIANTS[name].states]
        assert all(size > 1e-3 for size in learned) if scenario == "all" else max(learned) == 0


@pytest.mark.parametrize(
    ("name", "reverse", "checkpoint"),
    [
        *((name, False, 0) for name in VARIANTS),
        ("gru_after", True, 3),
        ("gru_after", False, 4),
    ],
)
def test_what_stands_in_the_padding_changes_no_bit_of_outputs_and_gradients(
    name: str, reverse: bool, checkpoint: int
) -> None:
    params, xs, carry = arguments(name)
    run = gradients(name, reverse, gr.UnrollOptions(checkpoint=checkpoint))
    for scenario in ("both", "all"):
        unreal = ~real_steps(scenario)[..., None]
        streams = EVERY_STEP | SCENARIOS[scenario]
        clean = run(params, np.where(unreal, 0.0, xs), pack(carry), streams)
        assert all(np.isfinite(a).all() for a in jax.tree.leaves(clean))
        for filling in (np.nan, np.inf, -np.inf, 1e300):
            assert_same_bits(run(params, np.where(unreal, filling, xs), pack(carry), streams), clean)


def test_gradients_without_streams_and_second_derivatives() -> None:
    # By params, xs and the learned carry, which nothing but the missing argument brings in.
    params, xs, _ = arguments("gru_after")
    rng = np.random.default_rng(12)
    direction = jax.tree.map(lambda a: rng.normal(size=a.shape), (params, xs))
    run = compiled("gru_after")

    def value(p: Any) -> Any:
        return loss(*run(*p, None, {}))

    @jax.jit
    def derivatives(p: Any, d: Any) -> Any:
        (first, grads), (slope, curvature) = jax.jvp(jax.value_and_grad(value), (p,), (d,))
        return first, grads, slope, curvature

    base = (params, xs)
    _, grads, slope, curvature = derivatives(base, direction)

    def along(sign: float, step: float) -> Any:
        return jax.tree.map(lambda a, d: a + sign * step * d, base, direction)

    def oracle(sign: float) -> float:
        return float(loss(*sequence("gru_after", *along(sign, 1e-5))[:2]))

    inner = sum(float((g * d).sum()) for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True))
    np.testing.assert_allclose(inner, (oracle(1) - oracle(-1)) / 2e-5, rtol=1e-7)
    np.testing.assert_allclose(slope, inner, rtol=1e-12)
    above, below = (derivatives(along(sign, 1e-5), direction)[1] for sign in (1, -1))
    assert_close(curvature, jax.tree.map(lambda a, b: (a - b) / 2e-5, above, below), 2e-7)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(curvature))
