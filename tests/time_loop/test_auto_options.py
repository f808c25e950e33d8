"""The time loop's automatic choices on a CPU: chunks that fit the cache, and where inputs are projected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.time_loop import auto_options

pytestmark = [
    pytest.mark.skipif(jax.default_backend() != "cpu", reason="an accelerator chooses otherwise"),
]


def chunk(batch: int, time: int, hidden: int, **options: int) -> int | None:
    xs_T = jax.ShapeDtypeStruct((time, batch, 3), jnp.float32)
    return auto_options.choose(gr.GRU(hidden), xs_T, gr.UnrollOptions(**options), False, "no engine").chunk


@pytest.mark.parametrize(
    ("batch", "time", "hidden", "expected"),
    [
        (32, 128, 128, 0),  # 2 MiB in all
        (0, 10**6, 128, 0),
        (128, 784, 128, 16),  # 64 KiB a step, and 16 divides 784
        (128, 787, 128, 16),  # nothing up to 16 divides a prime
        (1, 5000, 256, 1000),  # 1 KiB a step: up to 1,024
        (64, 100, 8192, auto_options.SHORTEST_CHUNK),  # 2 MiB a step, yet not one by one
    ],
)
def test_a_chunk_fits_the_cache_and_divides_the_steps_where_it_can(
    batch: int, time: int, hidden: int, expected: int
) -> None:
    assert chunk(batch, time, hidden) == expected


def test_what_is_given_stays_and_checkpointed_pieces_are_chunked_on_their_own() -> None:
    assert chunk(128, 784, 128, chunk=0) == 0 and chunk(128, 784, 128, chunk=7) == 7
    assert chunk(32, 1000, 256, checkpoint=32) == 0  # 1 MiB a piece
    assert chunk(128, 784, 128, checkpoint=112) == 16


def test_inputs_are_projected_together_where_that_uses_more_cores_or_stays_in_the_cache() -> None:
    def hoist(time: int, batch: int, inputs: int, hidden: int) -> bool:
        return auto_options.hoist(gr.GRU(hidden), jax.ShapeDtypeStruct((time, batch, inputs), jnp.float32))

    assert not hoist(128, 32, 2, 128)  # a multiply and an add
    assert hoist(128, 32, 3, 128)  # a step's product runs on one core
    assert not hoist(256, 64, 128, 512)  # a step's own uses all
    assert hoist(8, 64, 128, 512)


@pytest.mark.parametrize("reverse", [False, True])
def test_automatic_chunks_change_nothing_but_rounding(reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = gr.GRU(4)
    params, xs = cell.init(jax.random.key(0), 3), jax.random.normal(jax.random.key(1), (2, 19, 3))
    lengths = jnp.array([19, 7])

    def both() -> tuple:
        def loss(params: dict) -> jax.Array:
            final, ys = gr.unroll(cell, params, xs, lengths=lengths, reverse=reverse)
            return (ys**2).sum() + final.sum()  # type: ignore[operator]

        return gr.unroll(cell, params, xs, lengths=lengths, reverse=reverse), jax.grad(loss)(params)

    whole = both()
    monkeypatch.setattr(auto_options, "WHOLE_BYTES", 0)
    monkeypatch.setattr(auto_options, "CHUNK_BYTES", 0)
    monkeypatch.setattr(auto_options, "SHORTEST_CHUNK", 5)
    assert chunk(2, 19, 4) == 5
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), both(), whole)
