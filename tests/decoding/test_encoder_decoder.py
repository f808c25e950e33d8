"""Decoders on an encoder-decoder: against its own logits under teacher forcing, and with rows divided over a mesh."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import gru_research as gr
from gru_research.decoding import DECODERS
from gru_research.models import encoder_decoder
from gru_research.spec import Generation, Spec
from tests.decoding.prefix_tree import log_softmax, rows

B, T, N, END = 8, 4, 5, 2
EXAMPLE = {
    name: jax.ShapeDtypeStruct(shape, jnp.int32)
    for name, shape in {"inputs": (T,), "lengths": (), "targets": (N,), "target_lengths": ()}.items()
}
SPEC = Spec(EXAMPLE, 6, "generated", vocabulary=7, generation=Generation(begin=1, end=END, longest=N))
RNG = np.random.default_rng(0)
BATCH = {"inputs": RNG.integers(0, 7, (B, T)).astype(np.int32), "lengths": np.array([4, 2, 0, 3, 4, 1, 2, 3], np.int32)}


def case(name: str, attention: Any) -> tuple[Any, Any, Any]:
    model = encoder_decoder(SPEC, gr.LSTM(4), bidirectional=True, attention=attention, embedding_size=3)
    params: Any = jax.tree.map(lambda a: 3 * a, model.init(jax.random.key(0), EXAMPLE))
    params["readout"]["b"] = params["readout"]["b"].at[END].add(-3)  # longer answers
    key = {"key": jax.random.key(1)} if name == "sample" else {}
    return model, params, functools.partial(DECODERS[name], model, end=END, longest=N, **key)


@pytest.mark.parametrize("attention", ["none", "bahdanau", "luong"])
@pytest.mark.parametrize("name", DECODERS)
def test_scores_are_those_under_teacher_forcing(name: str, attention: str) -> None:
    model, params, decode = case(name, attention)
    found = jax.jit(decode)(params, BATCH)
    targets = {"targets": found.tokens, "target_lengths": found.lengths}
    logs = log_softmax(np.asarray(jax.jit(model.apply)(params, BATCH | targets)))
    tokens, real = np.asarray(found.tokens), np.arange(N) < np.asarray(found.lengths)[:, None]
    chosen = np.where(real, np.take_along_axis(logs, tokens[..., None], 2)[..., 0], 0)
    np.testing.assert_allclose(found.scores, chosen.sum(1), rtol=1e-4)
    if name == "greedy":
        np.testing.assert_array_equal(np.where(real, logs.argmax(-1), END), tokens)
    assert len(set(rows(found, END))) > 1


def test_the_memory_isn_t_copied_when_beams_are_chosen() -> None:
    model, params, decode = case("beam_search", "luong")
    state, _ = model.start(params, BATCH)
    copied = {str(jax.typeof(a.reshape(B, 1, *a.shape[1:]).repeat(5, 1))) for a in jax.tree.leaves(state.memory)}
    lines = str(jax.make_jaxpr(decode)(params, BATCH)).splitlines()
    gathers = [line for line in lines if "gather[" in line]
    assert copied == {"float32[8,5,4,8]", "float32[8,5,4,4]", "bool[8,5,4]"}
    names = [name.replace("float32", "f32") for name in copied]
    assert gathers and not [line for line in gathers if any(f":{name} " in line for name in names)]
    assert any(":f32[8,5,4] " in line for line in gathers)  # the carry


@pytest.mark.parametrize("name", DECODERS)
def test_rows_divided_over_a_mesh_of_any_kind(name: str) -> None:
    _, params, decode = case(name, "bahdanau")
    expected = jax.jit(decode)(params, BATCH)
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((1,), ("rows",), axis_types=(kind,))
        batch = jax.tree.map(lambda a: jax.device_put(a, NamedSharding(mesh, P("rows"))), BATCH)  # noqa: B023
        found = jax.jit(decode)(params, batch)
        assert kind == AxisType.Auto or jax.typeof(found.scores).sharding.spec == P("rows")
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    mesh = jax.make_mesh((1,), ("rows",), axis_types=(AxisType.Auto,))
    by_rows = jax.shard_map(decode, mesh=mesh, in_specs=(P(), P("rows")), out_specs=P("rows"))
    np.testing.assert_array_equal(jax.jit(by_rows)(params, BATCH).tokens, expected.tokens)
