"""The sequences on which our modules must give Flax's numbers, and how two modules are compared.

Flax leaves whatever it computed past a row's length and ours gives 0, so that outputs are compared at real
steps, and no length is 0 (tests/adapters/test_defects.py).
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

B, T, I, H = 3, 6, 4, 5  # noqa: E741
LENGTHS = np.array([6, 1, 4], np.int32)
SCENARIOS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lengths": {"seq_lengths": LENGTHS, "carry": True},
    "reverse": {"reverse": True, "time_major": True, "unroll": 2},
    "reverse_lengths": {"reverse": True, "seq_lengths": LENGTHS, "carry": True},
    "keep_order": {"reverse": True, "keep_order": True, "carry": True},
    "everything": {"reverse": True, "keep_order": True, "seq_lengths": LENGTHS, "time_major": True, "carry": True},
}
Run = Callable[[Any, Any, Any], tuple[Any, Any]]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def perturbed(tree: Any) -> Any:
    """`tree` with noise on every leaf, biases that start at 0 too."""
    leaves, structure = jax.tree.flatten(tree)
    noisy = [a + 0.3 * draw(*jnp.shape(a), seed=i) for i, a in enumerate(leaves)]
    return jax.tree.unflatten(structure, noisy)


def real(scenario: str) -> np.ndarray:
    """`[B, T, 1]`, or `[T, B, 1]` in a time-major scenario: 1 at real steps."""
    lengths = SCENARIOS[scenario].get("seq_lengths", np.full(B, T))
    mask = (np.arange(T) < lengths[:, None]).astype(np.float32)
    return (mask.T if SCENARIOS[scenario].get("time_major") else mask)[..., None]


def options(scenario: str) -> dict[str, Any]:
    """What to call a module with, initial carry apart; `unroll` is for its constructor."""
    return {name: value for name, value in SCENARIOS[scenario].items() if name not in ("carry", "unroll")}


def assert_same_numbers(scenario: str, flax: Run, ours: Run, params: Any, carry: Any, gradients: bool = True) -> None:
    """Outputs and carries agree, and gradients by parameters, inputs and initial carry; padding is 0."""
    mask = real(scenario)
    xs = draw(*mask.shape[:2], I, seed=1)
    weights = draw(*mask.shape[:2], H, seed=2) * mask

    def value(run: Run, *arguments: Any) -> Any:
        final, ys = run(*arguments)
        return (weights * ys).sum() + sum((draw(B, H, seed=3) * a).sum() for a in jax.tree.leaves(final)), (final, ys)

    def results(run: Run, *arguments: Any) -> Any:
        if not gradients:
            return run(*arguments), ()
        wanted = (0, 1, 2) if SCENARIOS[scenario].get("carry") else (0, 1)
        (_, outputs), grads = jax.value_and_grad(functools.partial(value, run), wanted, has_aux=True)(*arguments)
        return outputs, grads

    both = jax.jit(lambda *arguments: (results(flax, *arguments), results(ours, *arguments)))
    ((final, ys), grads), ((our_final, our_ys), our_grads) = both(params, xs, carry)
    assert (np.asarray(our_ys)[np.broadcast_to(mask == 0, ys.shape)] == 0).all()
    assert_close((our_final, our_ys * mask, our_grads), (final, ys * mask, grads))


def assert_close(actual: Any, expected: Any, tolerance: float = 1e-6) -> None:
    """Equal trees and types; entries differ by `tolerance` times the array's largest, or times 1 where that is less."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, float(np.abs(b).max())))
