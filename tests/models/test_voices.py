"""The model of voices in turn: its embeddings, padding, and streaming equal to the whole sequence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.cells import Cell
from gru_research.models import count_parameters, no_generation, voices
from gru_research.spec import Spec

KEY = jax.random.key(0)
TOKENS = jax.random.randint(KEY, (2, 11), 0, 7)
SPEC = Spec({"inputs": jax.ShapeDtypeStruct((11,), jnp.int32)}, 6, "every", 7)
CELLS = {"gru": gr.GRU(5), "lstm": gr.LSTM(5), "rnn": gr.VanillaRNN(5)}


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_streaming_equals_the_whole_sequence(cell: Cell) -> None:
    """From a beginning of another length in each row, in the middle of a piece."""
    model = voices(SPEC, cell, embedding_size=3, beats=2)
    params = model.init(KEY, SPEC.example)
    clock, lengths = jnp.array([3, 8]), jnp.array([2, 4])
    whole = model.apply(params, {"inputs": TOKENS, "clock": clock})
    state, logits = model.start(params, {"inputs": TOKENS[:, :4], "clock": clock, "lengths": lengths})
    rows, step = jnp.arange(2), jax.jit(model.step)
    for n in range(7):
        np.testing.assert_allclose(logits, whole[rows, lengths - 1 + n], rtol=1e-5, atol=1e-6)
        state, logits = step(params, state, TOKENS[rows, lengths + n])
    assert (state.clock == clock + lengths + 7).all()
    assert no_generation(model) is None


def test_it_reads_token_voice_and_beat() -> None:
    model = voices(SPEC, gr.GRU(5), embedding_size=3, voices=2, beats=3)
    params = model.init(KEY, SPEC.example)
    clock = np.array([1, 6])
    xs = np.zeros((2, 11, 3), np.float32)
    for b in range(2):
        for t in range(11):
            place = clock[b] + t
            xs[b, t] = params["embedding"]["E"][TOKENS[b, t]]
            xs[b, t] += params["voice"]["E"][place % 2] + params["beat"]["E"][place // 2 % 3]
    _, below = gr.unroll(gr.GRU(5), params["stack"][0], jnp.asarray(xs))
    _, ys = gr.unroll(gr.GRU(5), params["stack"][1], below)
    expected = ys @ params["readout"]["W"] + params["readout"]["b"]
    got = model.apply(params, {"inputs": TOKENS, "clock": jnp.asarray(clock)})
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert count_parameters(model, SPEC.example) == sum(a.size for a in jax.tree.leaves(params))


def test_padding_reaches_no_output_and_dropout_needs_a_key() -> None:
    model = voices(SPEC, gr.GRU(5), embedding_size=3, dropout=0.5)
    params = model.init(KEY, SPEC.example)
    lengths = jnp.array([4, 11])
    first = model.apply(params, {"inputs": TOKENS, "lengths": lengths})
    other = model.apply(params, {"inputs": TOKENS.at[0, 4:].set(0), "lengths": lengths})
    np.testing.assert_array_equal(first, other)
    assert (np.asarray(model.apply(params, {"inputs": TOKENS}, KEY)) != model.apply(params, {"inputs": TOKENS})).any()


def test_a_mistake_is_one_line() -> None:
    for options, says in {
        ("layers", 0): "layers=0 must be at least 1",
        ("beats", 0): "beats=0 must be at least 1",
        ("unroll", gr.UnrollOptions(time_major=True)): "unroll.time_major and unroll.outputs are the model's own",
    }.items():
        with pytest.raises(ValueError, match=f"^{says}"):
            voices(SPEC, gr.GRU(5), **{options[0]: options[1]})  # pyright: ignore[reportArgumentType]
    last = Spec({"inputs": jax.ShapeDtypeStruct((11,), jnp.int32)}, 6, "last", 7)
    with pytest.raises(ValueError, match="kind='voices' predicts a token at every step, which the task doesn't ask"):
        voices(last, gr.GRU(5))
