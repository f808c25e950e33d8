"""The model of an experiment: tokens or vectors in, outputs of the last, the mean or every step."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.layers import AttentionPooling, Embedding, Readout
from gru_research.models import SequenceModel, count_parameters, sequence
from gru_research.spec import Spec

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


@pytest.mark.parametrize("mode", ["last", "mean"])
def test_both_directions_are_read_out(mode: str) -> None:
    layer = gr.Bidirectional(gr.GRU(3), gr.LSTM(4))
    model = SequenceModel(gr.Stack((layer,)), Readout(2, mode))
    batch = {"inputs": jax.random.normal(KEY, (2, 5, 6)), "lengths": LENGTHS}
    params = model.init(KEY, batch)
    (inside,) = params["stack"]
    end, forward = gr.unroll(layer.forward, inside["forward"], batch["inputs"], lengths=LENGTHS)
    (_, start), backward = gr.unroll(layer.backward, inside["backward"], batch["inputs"], lengths=LENGTHS, reverse=True)
    mean = jnp.concatenate([forward, backward], -1).sum(1) / LENGTHS[:, None]  # type: ignore[list-item]
    states = {"last": jnp.concatenate([end, start], -1), "mean": mean}[mode]
    assert params["readout"]["W"].shape == (7, 2)
    expected = states @ params["readout"]["W"] + params["readout"]["b"]
    np.testing.assert_allclose(model.apply(params, batch), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stream", ["lengths", "mask", "none"])
def test_the_last_output_of_a_residual_stack_has_what_goes_around_its_top_layer(stream: str) -> None:
    stack = gr.Stack((gr.GRU(3), gr.GRU(3)), connections="residual")
    model = SequenceModel(stack, Readout(2, "last"))
    mask = jnp.array([[True, True, False, False, False], [False, True, True, True, False]])
    streams = {"lengths": {"lengths": LENGTHS}, "mask": {"mask": mask}, "none": {}}[stream]
    batch = {"inputs": jax.random.normal(KEY, (2, 5, 6))} | streams
    params = model.init(KEY, batch)
    # Both layers end at the same step, so that their last states are what meets there.
    (below, above), _ = stack.apply(params["stack"], batch["inputs"], **streams)
    expected = (below + above) @ params["readout"]["W"] + params["readout"]["b"]
    np.testing.assert_allclose(model.apply(params, batch), expected, rtol=1e-5, atol=1e-6)


def test_the_last_state_of_two_directions_with_connections_is_refused() -> None:
    layers = (gr.Bidirectional(gr.GRU(3), gr.GRU(3)),) * 2
    with pytest.raises(ValueError, match=r"readout='last'.*connections='highway'.*choose from mean, attention, every"):
        SequenceModel(gr.Stack(layers, connections="highway"), Readout(2, "last"))


def test_a_key_draws_noise_and_without_one_there_is_none() -> None:
    cells = (gr.GRU(3), gr.LSTM(4))
    noisy, plain = (
        SequenceModel(gr.Stack(cells, dropout=rate, noise=gr.Noise(state_dropout=rate)), Readout(2))
        for rate in (0.5, 0.0)
    )
    batch = {"inputs": jax.random.normal(KEY, (2, 5, 6))}
    params = plain.init(KEY, batch)
    expected = plain.apply(params, batch)
    np.testing.assert_array_equal(noisy.apply(params, batch), expected)
    np.testing.assert_array_equal(plain.apply(params, batch, KEY), expected)
    assert (np.asarray(noisy.apply(params, batch, KEY)) != expected).any()


def test_attention_pools_both_directions() -> None:
    layer = gr.Bidirectional(gr.GRU(3), gr.GRU(3))
    model = SequenceModel(gr.Stack((layer,)), Readout(2, "attention"))
    batch = {"inputs": jax.random.normal(KEY, (2, 5, 6)), "lengths": LENGTHS}
    params = model.init(KEY, batch)
    _, ys = layer.apply(params["stack"][0], batch["inputs"], lengths=LENGTHS)
    real = jnp.arange(5) < LENGTHS[:, None]
    assert ys is not None
    pooled, weights = AttentionPooling(64).apply(params["readout"]["attention"], ys, real)
    expected = pooled @ params["readout"]["W"] + params["readout"]["b"]
    np.testing.assert_allclose(model.apply(params, batch), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(weights[0, 2:], 0)


def test_words_become_unknown_in_training_alone() -> None:
    embedding = Embedding(vocabulary=7, size=6)
    plain, noisy, always = (
        SequenceModel(gr.Stack((gr.GRU(3),)), Readout(2), embedding, word_dropout=rate, unknown=4)
        for rate in (0.0, 0.3, 1 - 1e-6)
    )
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 7, (64, 40)))
    params = plain.init(KEY, {"inputs": tokens})
    expected = plain.apply(params, {"inputs": tokens})
    np.testing.assert_array_equal(noisy.apply(params, {"inputs": tokens}), expected)
    np.testing.assert_array_equal(plain.apply(params, {"inputs": tokens}, KEY), expected)
    unknown = plain.apply(params, {"inputs": jnp.full_like(tokens, 4)})
    np.testing.assert_array_equal(always.apply(params, {"inputs": tokens}, KEY), unknown)
    # A token is replaced exactly where another number for unknown words changes the output of a sequence of one.
    ones = {"inputs": tokens.reshape(-1, 1)}
    replaced = noisy.apply(params, ones, KEY) != dataclasses.replace(noisy, unknown=5).apply(params, ones, KEY)
    share = np.asarray(replaced).any(-1).mean()
    assert abs(share - 0.3) < 0.05  # 2,560 tokens: more than 5 standard errors


def test_a_dropped_readout_is_noise_of_training() -> None:
    model = SequenceModel(gr.Stack((gr.GRU(3),)), Readout(2, "mean", dropout=0.5))
    batch = {"inputs": jax.random.normal(KEY, (2, 5, 6))}
    params = model.init(KEY, batch)
    clean = SequenceModel(gr.Stack((gr.GRU(3),)), Readout(2, "mean")).apply(params, batch)
    np.testing.assert_array_equal(model.apply(params, batch), clean)
    assert (np.asarray(model.apply(params, batch, KEY)) != np.asarray(clean)).any()


def test_word_dropout_without_an_unknown_token_is_refused() -> None:
    with pytest.raises(ValueError, match=r"word_dropout=0.1 needs tokens with one for unknown words"):
        SequenceModel(gr.Stack((gr.GRU(3),)), Readout(2), Embedding(7, 6), word_dropout=0.1)
    spec = Spec({"inputs": jax.ShapeDtypeStruct((5,), jnp.int32)}, 2, "last", 7)
    with pytest.raises(
        ValueError, match=r"word_dropout=0.1 is for tasks with a token for unknown words; this has none"
    ):
        sequence(spec, gr.GRU(3), word_dropout=0.1)
    made = sequence(dataclasses.replace(spec, unknown=6), gr.GRU(3), word_dropout=0.1, readout="attention")
    assert made.unknown == 6 and made.readout.pooling == AttentionPooling(64)


def test_the_scale_of_embeddings() -> None:
    spec = Spec({"inputs": jax.ShapeDtypeStruct((5,), jnp.int32)}, 2, "last", 7)
    assert sequence(spec, gr.GRU(3), embedding_scale=0.1).embedding == Embedding(7, 64, scale=0.1)
    for size, scale in ((64, 0.0), (0, 0.1)):
        with pytest.raises(ValueError, match=r"^embedding_scale=.* must be above 0, and is for embeddings"):
            sequence(spec, gr.GRU(3), embedding_size=size, embedding_scale=scale)


def test_generation_starts_from_the_real_tokens_whichever_way_they_are_named() -> None:
    model = SequenceModel(gr.Stack((gr.GRU(3),)), Readout(7, "every"), Embedding(vocabulary=7, size=6))
    tokens = jnp.array([[0, 6, 3, 1], [1, 1, 2, 5]])
    params = model.init(KEY, {"inputs": tokens})
    streams = {
        "mask": jnp.array([[True, True, False, False]] * 2),
        "resets": jnp.array([[False, True, False, False]] * 2),
    }
    state, logits = model.start(params, {"inputs": tokens, **streams})
    np.testing.assert_allclose(logits, model.apply(params, {"inputs": tokens, **streams})[:, 1], rtol=1e-5, atol=1e-6)
    alone, same = model.start(params, {"inputs": tokens[:, 1:2]})
    np.testing.assert_allclose(logits, same, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state[0], alone[0], rtol=1e-5, atol=1e-6)
