"""The problem of the tests of `unroll`: cells, streams, compiled functions and comparisons."""

import functools
from typing import Any

import jax
import numpy as np

import gru_research as gr
from tests.oracles import VARIANTS, Carry, parameters, random_carry

I, H, B, T = 4, 5, 3, 8  # noqa: E741
WEIGHTS = np.random.default_rng(5).normal(size=(B, T + 2, H))  # weights in the loss: outputs, then carry
PLAIN = gr.UnrollOptions()


def booleans(*rows: str) -> np.ndarray:
    return np.array([[digit == "1" for digit in row] for row in rows])


LENGTHS = np.array([0, 8, 5], np.int32)
HOLES = booleans("10110111", "01100101", "11111010")
STARTS = booleans("00100100", "10001001", "01100000")
SCENARIOS: dict[str, dict[str, Any]] = {
    "none": {},
    "lengths": {"lengths": LENGTHS},
    "mask": {"mask": HOLES},
    "both": {"lengths": LENGTHS, "mask": HOLES},
    "resets": {"resets": STARTS},
    # Row 1 starts segments at unreal steps, row 2 at one and in its padding.
    "all": {
        "lengths": LENGTHS,
        "mask": booleans("11111111", "10110111", "11011011"),
        "resets": booleans("00000000", "01001000", "00100110"),
    },
}
EVERY_STEP = {"lengths": np.full(B, T, np.int32), "mask": np.ones((B, T), bool), "resets": np.zeros((B, T), bool)}


def make(name: str, dtype: str = "float64", **options: Any) -> Any:
    return getattr(gr, VARIANTS[name].kind)(H, **VARIANTS[name].options, param_dtype=dtype, **options)


def inputs(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def real_steps(scenario: str) -> np.ndarray:
    streams = EVERY_STEP | SCENARIOS[scenario]
    return (np.arange(T) < streams["lengths"][:, None]) & streams["mask"]


@functools.cache
def compiled(name: str, reverse: bool = False, options: gr.UnrollOptions = PLAIN, traced: bool = False) -> Any:
    """Returns the jitted `unroll` or `trace` of (params, xs, carry, streams), with a learned initial carry."""
    cell, run = make(name, learn_initial_carry=True), gr.trace if traced else gr.unroll
    return jax.jit(
        lambda params, xs, carry, streams: run(
            cell, params, xs, initial_carry=carry, reverse=reverse, options=options, **streams
        )
    )


def loss(carry: Any, ys: Any) -> Any:
    ends = jax.tree.leaves(carry)
    return (WEIGHTS[:, :T] * ys).sum() + sum((WEIGHTS[:, T + i] * end).sum() for i, end in enumerate(ends))


@functools.cache
def gradients(name: str, reverse: bool = False, options: gr.UnrollOptions = PLAIN) -> Any:
    """Returns a jitted function to loss, results, and gradients by parameters, inputs and initial carry."""
    run = compiled(name, reverse, options)

    def value(params: Any, xs: Any, carry: Any, streams: Any) -> Any:
        results = run(params, xs, carry, streams)
        return loss(*results), results

    return jax.jit(jax.value_and_grad(value, argnums=(0, 1, 2), has_aux=True))


def arguments(name: str) -> tuple[dict[str, Any], np.ndarray, Carry]:
    return parameters(name, I, H, learned=True), inputs(B, T, I), random_carry(name, (B,), H)


def assert_close(actual: Any, expected: Any, tolerance: float = 1e-12) -> None:
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def assert_same_bits(actual: Any, expected: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, actual, expected)
