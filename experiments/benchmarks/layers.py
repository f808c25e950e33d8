"""Our layer and those of the peers, each written as its documentation shows, as functions of parameters and inputs.

All return the outputs of every step for inputs [B, T, D]. Peers differ: haiku's GRU resets before the product with U,
and its vanilla RNN has relu units; a gate has one or two biases.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.benchmarks.cases import BenchmarkCase, our_options, split_system
from gru_research.cells import CELLS
from gru_research.time_loop import UnrollOptions, unroll


class NotOfferedError(Exception):
    """The system has no such layer."""


class Layer(NamedTuple):
    """`apply(params, xs)` returns all outputs; `last(params, xs)`, ours only, the last one, storing no others."""

    params: Any
    apply: Callable[[Any, jax.Array], Any]
    last: Callable[[Any, jax.Array], Any] | None = None


def make_layer(case: BenchmarkCase) -> Layer:
    """Makes the layer of `case`. Raises NotOfferedError if the system has none."""
    return LAYERS[split_system(case.system)[0]](case)


def _ours(case: BenchmarkCase) -> Layer:
    _, chosen = split_system(case.system)
    cell = CELLS[case.cell](case.shape.hidden_size, dtype=_compute_dtype(case))

    def run(params: Any, xs: jax.Array, options: UnrollOptions) -> Any:
        return unroll(cell, params, xs, options=options)

    everything = our_options(chosen, outputs="all")
    nothing = our_options(chosen, outputs="none")
    return Layer(
        cell.init(jax.random.key(0), case.shape.input_size),
        lambda params, xs: run(params, xs, everything)[1],
        lambda params, xs: cell.hidden(run(params, xs, nothing)[0]),
    )


def _linen(case: BenchmarkCase) -> Layer:
    from flax import linen as nn

    kind = {"gru": nn.GRUCell, "rnn": nn.SimpleCell}.get(case.cell) or getattr(nn, case.variant)
    cell = kind(case.shape.hidden_size, dtype=_compute_dtype(case))
    rnn = nn.RNN(cell)
    return Layer(rnn.init(jax.random.key(0), _example(case)), rnn.apply)  # type: ignore[arg-type]


def _nnx(case: BenchmarkCase) -> Layer:
    from flax import nnx

    kind = {"gru": nnx.GRUCell, "rnn": nnx.SimpleCell}.get(case.cell) or getattr(nnx, case.variant)
    cell = kind(case.shape.input_size, case.shape.hidden_size, dtype=_compute_dtype(case), rngs=nnx.Rngs(0))
    rnn = nnx.RNN(cell, rngs=nnx.Rngs(0))
    # Split and merged under jax.jit, as its guide to performance says: nnx.jit takes longer to call.
    graph, params, rest = nnx.split(rnn, nnx.Param, ...)
    return Layer(params, lambda params, xs: nnx.merge(graph, params, rest, copy=True)(xs))


def _haiku(case: BenchmarkCase) -> Layer:
    import haiku as hk

    _only_float32(case)
    core = {"gru": hk.GRU, "lstm": hk.LSTM, "rnn": hk.VanillaRNN}[case.cell]

    def run(xs: jax.Array) -> Any:
        layer = core(case.shape.hidden_size)
        state = layer.initial_state(case.shape.batch)
        return hk.dynamic_unroll(layer, xs, state, time_major=False)[0]

    transformed = hk.without_apply_rng(hk.transform(run))
    return Layer(transformed.init(jax.random.key(0), _example(case)), transformed.apply)


def _equinox(case: BenchmarkCase) -> Layer:
    import equinox as eqx

    _only_float32(case)
    if case.cell == "rnn":
        raise NotOfferedError("no vanilla cell")
    kind = {"gru": eqx.nn.GRUCell, "lstm": eqx.nn.LSTMCell}[case.cell]
    cell = kind(case.shape.input_size, case.shape.hidden_size, key=jax.random.key(0))
    params, static = eqx.partition(cell, eqx.is_array)
    zeros = jnp.zeros(case.shape.hidden_size)

    def apply(params: Any, xs: jax.Array) -> jax.Array:
        cell = eqx.combine(params, static)

        def step(state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
            state = cell(x, state)
            return state, state[0] if case.cell == "lstm" else state

        first = (zeros, zeros) if case.cell == "lstm" else zeros
        return jax.vmap(lambda xs_TI: jax.lax.scan(step, first, xs_TI)[1])(xs)

    return Layer(params, apply)


def _keras(case: BenchmarkCase) -> Layer:
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    kind = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}[case.cell]
    policy = "mixed_bfloat16" if case.dtype == "bfloat16" else case.dtype
    layer = kind(case.shape.hidden_size, return_sequences=True, dtype=policy)
    layer.build((case.shape.batch, case.shape.time, case.shape.input_size))
    fixed = [variable.value for variable in layer.non_trainable_variables]
    params = [variable.value for variable in layer.trainable_variables]
    return Layer(params, lambda params, xs: layer.stateless_call(params, fixed, xs)[0])


LAYERS: dict[str, Callable[[BenchmarkCase], Layer]] = {
    "ours": _ours,
    "linen": _linen,
    "nnx": _nnx,
    "haiku": _haiku,
    "equinox": _equinox,
    "keras": _keras,
}
"""The systems that run in JAX; torch is in `programs`."""

VARIANTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("linen", "lstm"): ("OptimizedLSTMCell", "LSTMCell"),
    ("nnx", "lstm"): ("OptimizedLSTMCell", "LSTMCell"),
}
"""By system and cell, the classes that its documentation offers: all are timed, and the fastest counts."""


def _example(case: BenchmarkCase) -> jax.Array:
    """Returns inputs for initialisers, which use only the shape; two steps keep their loop short."""
    return jnp.zeros((case.shape.batch, 2, case.shape.input_size))


def _compute_dtype(case: BenchmarkCase) -> Any:
    return None if case.dtype == "float32" else jnp.dtype(case.dtype)


def _only_float32(case: BenchmarkCase) -> None:
    if case.dtype != "float32":
        raise NotOfferedError(f"no {case.dtype} computation with float32 parameters")
