"""Counts of floating-point operations against formulas."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import gru_research as gr
from gru_research.training.flops import count_flops


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


# (cell, gates, the rest of a step for each unit). A step is 2 (I + H) H for each gate, a bias and a sum for each, and:
# GRU: the hidden bias, r, z, n and r * h; z * h + (1 - z) * n. Reset before the product: no hidden bias.
# LSTM: i, f, g, o; f * c + i * g; o * tanh(c). RNN: tanh.
CELLS = [
    (lambda size: gr.GRU(size), 3, 1 + 3 + 1 + 4),
    (lambda size: gr.GRU(size, reset="before"), 3, 3 + 1 + 4),
    (lambda size: gr.LSTM(size), 4, 4 + 3 + 2),
    (lambda size: gr.VanillaRNN(size), 1, 1),
]


@pytest.mark.parametrize("time", [4, 12])
@pytest.mark.parametrize(("build", "gates", "rest"), CELLS, ids=["gru", "gru-before", "lstm", "rnn"])
def test_cells_against_their_equations(build: Any, gates: int, rest: int, time: int) -> None:
    H, I = 7, 5  # noqa: E741
    cell = build(H)
    params = jax.eval_shape(lambda: cell.init(jax.random.key(0), I))
    counted = count_flops(lambda p, xs: gr.unroll(cell, p, xs), params, shape(1, time, I))
    assert counted == time * (2 * gates * H * (I + H) + (2 * gates + rest) * H)


def test_a_product_counts_multiplications_and_additions() -> None:
    assert count_flops(jnp.matmul, shape(3, 5), shape(5, 7)) == 2 * 3 * 5 * 7
    assert count_flops(jnp.matmul, shape(4, 3, 5), shape(4, 5, 7)) == 4 * 2 * 3 * 5 * 7
    assert count_flops(lambda a, b: jnp.tanh(a @ b) + 1, shape(3, 5), shape(5, 7)) == 2 * 3 * 5 * 7 + 21 + 21


def test_moving_and_converting_is_free() -> None:
    def moved(a: Any) -> Any:
        return jnp.concatenate([a.T.reshape(3, 5), a[:, ::-1]]).astype(jnp.bfloat16)[None, 1:]

    assert count_flops(moved, shape(3, 5)) == 0


def test_a_scan_counts_its_body_for_each_step() -> None:
    def loop(xs: Any) -> Any:
        return lax.scan(lambda c, x: (c * x + 1, None), jnp.zeros(3), xs)[0]

    assert [count_flops(loop, shape(time, 3)) for time in (1, 4, 100)] == [6, 24, 600]
    nested = lambda xs: lax.scan(lambda c, x: (c + loop(x), None), jnp.zeros(3), xs)[0]  # noqa: E731
    assert count_flops(nested, shape(5, 4, 3)) == 5 * (24 + 3)


def test_of_a_cond_the_longest_branch_counts() -> None:
    def either(yes: Any, a: Any) -> Any:
        return lax.cond(yes, lambda a: jnp.tanh(a) * a, lambda a: a, a)

    # The choice itself is no operation.
    assert count_flops(either, jax.ShapeDtypeStruct((), bool), shape(10)) == 20


def test_programs_within_programs_count() -> None:
    @jax.custom_vjp
    def square(a: Any) -> Any:
        return a * a

    square.defvjp(lambda a: (square(a), a), lambda a, d: (2 * a * d,))
    assert count_flops(jax.jit(square), shape(10)) == 10
    assert count_flops(jax.checkpoint(lambda a: a * a), shape(10)) == 10


def test_a_while_loop_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="while loop"):
        count_flops(lambda a: lax.while_loop(lambda a: a.sum() < 1, lambda a: a + 1, a), shape(3))
