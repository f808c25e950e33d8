"""The effect of each word: against the model called on texts that lack it; answers, encoders and means over seeds."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.models import SequenceModel, sequence
from gru_research.spec import Spec
from gru_research.tasks.output_decoders import Classes
from gru_research.tasks.sentiment.answers import Encode, Explained, Labels
from gru_research.tasks.sentiment.examples import choose
from gru_research.tasks.sentiment.explanation import explain, log_odds
from gru_research.tasks.sentiment.facts import Facts

V, C, T = 9, 3, 6
UNKNOWN = V - 1
TEXTS = [[1, 2, 3], [4], [5, 5, 0, 7, 2, 1]]


def batch(texts: list[list[int]]) -> dict[str, jax.Array]:
    tokens = np.full((len(texts), T), 6, np.int32)  # arbitrary padding
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = text
    return {"inputs": jnp.asarray(tokens), "lengths": jnp.array([len(text) for text in texts])}


@pytest.fixture(scope="module")
def model() -> SequenceModel:
    spec = Spec({"inputs": jax.ShapeDtypeStruct((T,), jnp.int32)}, C, "last", V, unknown=UNKNOWN)
    return sequence(spec, gr.GRU(4), embedding_size=3, bidirectional=True, readout="attention", attention_size=2)


def odds(outputs: np.ndarray, label: int, several: bool) -> float:
    share = 1 / (1 + np.exp(-outputs[label])) if several else np.exp(outputs[label]) / np.exp(outputs).sum()
    return float(np.log(share / (1 - share)))


@pytest.mark.parametrize("several", [False, True])
def test_an_effect_is_what_leaving_the_word_out_changes(model: SequenceModel, several: bool) -> None:
    params = model.init(jax.random.key(0), {"inputs": jnp.zeros((1, T), jnp.int32)})
    params = jax.tree.map(lambda a: 2 * a, params)

    def outputs_of(text: list[int]) -> np.ndarray:
        return np.asarray(model.apply(params, batch([text]))[0], np.float64)

    found = jax.jit(lambda p, b: explain(model, p, b, UNKNOWN, several))(params, batch(TEXTS))
    for n, text in enumerate(TEXTS):
        whole = outputs_of(text)
        label = int(whole.argmax())
        np.testing.assert_allclose(found["outputs"][n], whole, rtol=1e-5, atol=1e-6)
        for place in range(len(text)):
            left = text[:place] + text[place + 1 :] if len(text) > 1 else [UNKNOWN]
            expected = odds(whole, label, several) - odds(outputs_of(left), label, several)
            assert float(found["effects"][n, place]) == pytest.approx(expected, abs=1e-5)
        assert not np.asarray(found["effects"])[n, len(text) :].any()
    assert np.abs(np.asarray(found["effects"])).max() > 0.05


def test_texts_are_chosen_by_length_negation_and_label() -> None:
    facts = Facts(("bad", "good", "n't", "<unknown>"), ("no", "yes"), False, 20, 0, 0.5, [], {})
    inputs = np.zeros((6, 20), np.int32)
    inputs[[0, 4], [1, 2]] = 2
    inputs[1, 15] = 2  # behind the end of its text
    test = {
        "inputs": inputs,
        "lengths": np.array([3, 6, 7, 8, 9, 20]),  # the first is too short, the last too long
        "targets": np.array([0, 1, 1, 0, 0, 0]),
    }
    assert choose(facts, test).tolist() == [4, 1, 3]
    assert choose(facts, test | {"lengths": np.full(6, 20)}).tolist() == []
    several = dataclasses.replace(facts, several=True)
    labels = np.array([[1, 0], [0, 0], [0, 1], [1, 1], [0, 0], [1, 0]], np.uint8)
    assert choose(several, test | {"targets": labels}).tolist() == [2, 3]


def test_log_odds() -> None:
    outputs = np.random.default_rng(0).normal(size=(4, C))
    labels = np.array([0, 2, 1, 1])
    for several in (False, True):
        found = log_odds(jnp.asarray(outputs), jnp.asarray(labels), several)
        expected = [odds(row, label, several) for row, label in zip(outputs, labels, strict=True)]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


WORDS = ("bad", "good", "n't", "<unknown>")
OUTPUT = {
    "outputs": np.array([0.0, 2.0]),
    "effects": np.array([0.25, -1.5, 9.0]),
    "inputs": np.array([1, 3, 0]),
    "lengths": np.array(2),
}


def test_an_answer_says_what_each_word_did() -> None:
    decode = Explained(Classes(("no", "yes")), WORDS)
    said = decode(OUTPUT)
    assert said["class"] == "yes" and said["probability"] == pytest.approx(1 / (1 + np.exp(-2)), rel=1e-6)
    assert said["words"] == ["good", "<unknown>"] and said["effects"] == [0.25, -1.5]
    assert decode(OUTPUT["outputs"]) == {name: said[name] for name in ("class", "probability", "probabilities")}


def test_labels_are_those_above_the_threshold() -> None:
    decode = Labels(("a", "b", "c"), 0.3)
    said = decode(np.log([0.5 / 0.5, 0.1 / 0.9, 0.9 / 0.1]))
    assert said["labels"] == ["c", "a"]
    assert said["probabilities"] == pytest.approx({"c": 0.9, "a": 0.5, "b": 0.1})
    assert decode(np.array([np.nan, 0, 0])) == {"labels": [], "probabilities": {}}


@pytest.mark.parametrize("label", [Classes(("no", "yes")), Labels(("no", "yes"), 0.5)])
def test_seeds_are_averaged(label: Any) -> None:
    decode = Explained(label, WORDS)
    other = OUTPUT | {"outputs": np.array([1.0, -1.0]), "effects": np.array([0.75, 0.5, 0.0])}
    both = {name: np.stack([OUTPUT[name], other[name]]) for name in OUTPUT}
    said = decode(decode.mean(both))
    assert said["effects"] == [0.5, -0.5] and said["words"] == ["good", "<unknown>"]
    each = [decode(one)["probabilities"] for one in (OUTPUT, other)]
    for name, share in said["probabilities"].items():
        assert share == pytest.approx((each[0][name] + each[1][name]) / 2, rel=1e-5)
    assert decode(decode.mean(both["outputs"]))["probabilities"] == said["probabilities"]


def test_a_text_becomes_tokens() -> None:
    encode = Encode(WORDS, 3)
    example = encode("GOOD film, isn't it")
    assert example["inputs"].tolist() == [1, 3, 3] and int(example["lengths"]) == 3
    assert Encode(WORDS, 0)("isn't bad")["inputs"].tolist() == [3, 2, 0]
    with pytest.raises(ValueError, match="the input is empty"):
        encode("  ")
    with pytest.raises(TypeError, match=r"^'\[1, 2\]' must be a text$"):
        encode([1, 2])
