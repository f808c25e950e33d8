"""The model of an experiment: tokens or vectors in, outputs of the last, the mean or every step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.layers import Embedding, Readout
from gru_research.training import SequenceModel, count_parameters

KEY = jax.random.key(0)
LENGTHS = jnp.array([2, 5])


def make(mode: str, embedding: Embedding | None = None) -> SequenceModel:
    return SequenceModel(gr.Stack((gr.GRU(3), gr.LSTM(4))), Readout(2, mode), embedding)


@pytest.mark.parametrize("mode", ["last", "mean", "every"])
def test_it_is_the_stack_and_the_readout(mode: str) -> None:
    model = make(mode)
    batch = {"inputs": jax.random.normal(KEY, (2, 5, 6)), "lengths": LENGTHS}
    params = model.init(KEY, batch)
    _, hs = gr.unroll(gr.GRU(3), params["stack"][0], batch["inputs"], lengths=LENGTHS)
    (_, last), ys = gr.unroll(gr.LSTM(4), params["stack"][1], hs, lengths=LENGTHS)
    states = {"last": last, "mean": ys.sum(1) / LENGTHS[:, None], "every": ys}[mode]
    expected = states @ params["readout"]["W"] + params["readout"]["b"]
    np.testing.assert_allclose(model.apply(params, batch), expected, rtol=1e-5, atol=1e-6)
    assert count_parameters(model, batch) == sum(a.size for a in jax.tree.leaves(params))


def test_padding_reaches_no_output() -> None:
    model = make("mean")
    inputs = jax.random.normal(KEY, (2, 5, 6))
    params = model.init(KEY, {"inputs": inputs})
    mask = jnp.arange(5) < LENGTHS[:, None]
    clean = model.apply(params, {"inputs": inputs, "mask": mask})
    padded = {"inputs": jnp.where(mask[..., None], inputs, jnp.nan), "lengths": LENGTHS}
    np.testing.assert_allclose(model.apply(params, padded), clean, rtol=1e-6)


def test_tokens_go_through_the_embedding() -> None:
    model = make("every", Embedding(vocabulary=7, size=6))
    batch = {"inputs": jnp.array([[0, 6, 3], [1, 1, 2]])}
    params = model.init(KEY, batch)
    vectors = {"inputs": params["embedding"]["E"][batch["inputs"]]}
    expected = make("every").apply(params, vectors)
    np.testing.assert_allclose(model.apply(params, batch), expected, rtol=1e-6)
    assert expected.shape == (2, 3, 2)
