"""The pointer-generator: against NumPy loops, token by token as at once, and what padding can't reach."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.decoding import beam_search, greedy
from gru_research.models import PointerGenerator, pointer
from gru_research.models.pointer import LEAST
from gru_research.spec import Generation, Spec

G, WORDS, SLOTS = 5, 10, 3  # tokens: end and 4 words; unknown 5 and begin 6; read alone 7 to 9; slots 10 to 12
V, UNKNOWN, BEGIN = WORDS + SLOTS, G, G + 1
CELLS = {"gru": gr.GRU(4), "lstm": gr.LSTM(3), "rnn": gr.VanillaRNN(5)}
BATCH = {
    "inputs": np.array([[1, 10, 7, 10, 11], [8, 2, 10, 3, 9]], np.int32),
    "lengths": np.array([5, 3], np.int32),
    "targets": np.array([[10, 2, 7, 0], [10, 5, 0, 12]], np.int32),
    "target_lengths": np.array([4, 3], np.int32),
}


def spec_of(**generation: int) -> Spec:
    shapes = {"inputs": (5,), "lengths": (), "targets": (4,), "target_lengths": ()}
    example = {name: jax.ShapeDtypeStruct(shape, jnp.int32) for name, shape in shapes.items()}
    how = Generation(BEGIN, 0, 4, **{"generated": G, "slots": SLOTS} | generation)
    return Spec(example, V, "generated", V, how, UNKNOWN)


def made(cell: str = "gru", **options: Any) -> PointerGenerator:
    return pointer(spec_of(), CELLS[cell], **{"embedding_size": 3, "attention_size": 2, "dropout": 0.0} | options)


def parameters(model: PointerGenerator) -> Any:
    """Random parameters; those that are 0 at first aren't."""
    params = model.init(jax.random.key(1), {})
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    changed = [a + 0.7 * jax.random.normal(key, a.shape) for a, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, changed)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def by_loops(model: PointerGenerator, given: Any, row: int) -> dict[str, np.ndarray]:
    """The distributions `[U, V]`, weights `[U, T]`, coverage losses and gates `[U]` of a row, by loops."""
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), given)
    count = int(BATCH["lengths"][row])
    tokens = BATCH["inputs"][row, :count]
    table = p["embedding"]["E"]
    es = table[np.where(tokens < WORDS, tokens, UNKNOWN)]
    layer = given["encoder"][0]
    directions = {}
    for name, order in (("forward", range(count)), ("backward", range(count - 1, -1, -1))):
        carry, outputs = model.cell.initial_carry(layer[name], ()), np.zeros((count, model.cell.hidden_size))
        for t in order:
            carry, y = model.cell.step(layer[name], carry, jnp.asarray(es[t], jnp.float32))
            outputs[t] = y
        directions[name] = carry, outputs
    memory = np.concatenate([directions[name][1] for name in ("forward", "backward")], -1)
    ends = [jax.tree.leaves(directions[name][0]) for name in ("forward", "backward")]
    parts = [np.concatenate(pair) @ own["W"] + own["b"] for *pair, own in zip(*ends, p["bridge"][0], strict=True)]
    structure = jax.tree.structure(directions["forward"][0])
    carry = jax.tree.unflatten(structure, [jnp.asarray(part, jnp.float32) for part in parts])
    context, coverage = np.zeros(memory.shape[1]), np.zeros(count)
    found: dict[str, list[Any]] = {name: [] for name in ("p", "weights", "coverage", "gate")}
    before = BEGIN
    for target in BATCH["targets"][row, : BATCH["target_lengths"][row]]:
        x = table[before if before < WORDS else UNKNOWN]
        carry, s = model.cell.step(given["decoder"], carry, jnp.asarray([*x, *context], jnp.float32))
        s, a = np.asarray(s, np.float64), p["attention"]
        scores = [
            a["v"] @ np.tanh(s @ a["W_q"] + m @ a["W_m"] + c * a["w_c"]) for m, c in zip(memory, coverage, strict=True)
        ]
        weights = softmax(np.array(scores))
        context = weights @ memory
        u = np.tanh(np.concatenate([s, context]) @ p["vector"]["W"])
        kernel = table[:G].T if model.tied else p["readout"]["W"]
        gate = 1 / (1 + np.exp(-np.concatenate([context, s, x]) @ p["gate"]["w"] - p["gate"]["b"]))
        whole = np.zeros(V)
        whole[:G] = gate * softmax(u @ kernel + p["readout"]["b"])
        for t, token in enumerate(tokens):
            whole[token] += (1 - gate) * weights[t]
        for name, value in (
            ("p", whole),
            ("weights", weights),
            ("coverage", np.minimum(weights, coverage).sum()),
            ("gate", gate),
        ):
            found[name].append(value)
        coverage = coverage + weights
        before = target
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize(("cell", "tied"), [("gru", True), ("lstm", False), ("rnn", True)])
def test_the_maths_is_that_of_loops(cell: str, tied: bool) -> None:
    model = made(cell, tied=tied)
    params = parameters(model)
    outputs, read = jax.jit(model.apply)(params, BATCH), jax.jit(model.read)(params, BATCH)
    for row, length in enumerate(BATCH["target_lengths"].tolist()):
        wanted = by_loops(model, params, row)
        np.testing.assert_allclose(wanted["p"].sum(-1), 1, atol=1e-6)
        own = wanted["p"][np.arange(length), BATCH["targets"][row, :length]]
        np.testing.assert_allclose(outputs.logs[row, :length], np.log(np.maximum(own, LEAST)), rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(outputs.coverage[row, :length], wanted["coverage"], atol=2e-6)
        real = int(BATCH["lengths"][row])
        np.testing.assert_allclose(read.weights[row, :length, :real], wanted["weights"], atol=2e-6)
        np.testing.assert_allclose(read.generated[row, :length], wanted["gate"], atol=2e-6)
        assert not np.asarray(read.weights)[row, length:].any() and not np.asarray(read.weights)[row, :, real:].any()
        targets = BATCH["targets"][row, :length]
        copied = np.asarray(read.copied[row, :length])
        assert (copied[targets >= G] == 1).tolist() == (own[targets >= G] > 0).tolist()  # words that are only copied
        absent = ~np.isin(targets, BATCH["inputs"][row, :real])
        assert not copied[absent].any()


@pytest.mark.parametrize("cell", CELLS)
def test_token_by_token_as_at_once(cell: str) -> None:
    model = made(cell)
    params = parameters(model)
    outputs = jax.jit(model.apply)(params, BATCH)
    step = jax.jit(model.step)
    given = {name: BATCH[name] for name in ("inputs", "lengths")}
    state, logs = jax.jit(model.start)(params, given)
    for n in range(4):
        np.testing.assert_allclose(np.exp(logs).sum(-1), 1, atol=1e-5)
        own = np.take_along_axis(np.asarray(logs), BATCH["targets"][:, n, None], 1)[:, 0]
        real = BATCH["target_lengths"] > n
        np.testing.assert_allclose(own[real], outputs.logs[real, n], rtol=2e-5, atol=2e-6)
        state, logs = step(params, state, jnp.asarray(BATCH["targets"][:, n]))


def test_padding_reaches_nothing() -> None:
    model = made()
    params = parameters(model)
    dirty = {name: a.copy() for name, a in BATCH.items()}
    dirty["inputs"][1, 3:] = [-7, 10]
    dirty["targets"][1, 3:] = -3

    def value(params: Any, batch: Any) -> Any:
        outputs = model.apply(params, batch)
        real = np.arange(4) < BATCH["target_lengths"][:, None]
        return jnp.where(real, outputs.coverage - outputs.logs, 0).sum(), outputs

    program = jax.jit(jax.value_and_grad(value, has_aux=True))
    (first, outputs), grads = program(params, BATCH)
    (second, others), other_grads = program(params, dirty)
    assert first == second and np.isfinite(outputs.logs).all() and np.isfinite(others.logs).all()
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(other_grads), strict=True):
        np.testing.assert_array_equal(a, b)
    alone = {name: a[1:, : {"inputs": 3, "targets": 3}.get(name)] if a.ndim > 1 else a[1:] for name, a in BATCH.items()}
    np.testing.assert_allclose(model.apply(params, alone).logs[0], outputs.logs[1, :3], rtol=1e-6, atol=1e-6)


def test_it_copies_a_word_that_training_lacks_and_decodes() -> None:
    model = made()
    params = parameters(model)
    params["gate"] = {"w": params["gate"]["w"] * 0, "b": jnp.asarray(-30.0)}  # always copies
    given = {name: BATCH[name] for name in ("inputs", "lengths")}
    answers = greedy(model, params, given, end=0, longest=4)
    for row, tokens in enumerate(np.asarray(answers.tokens)):
        assert set(tokens.tolist()) <= set(BATCH["inputs"][row, : BATCH["lengths"][row]].tolist())
    found = beam_search(model, params, given, end=0, longest=4, beams=3, no_repeat=1)
    assert all(len(set(row.tolist())) == 4 for row in np.asarray(found.tokens[:1]))


def test_dropout_changes_training_alone() -> None:
    model = made(dropout=0.5)
    params = parameters(model)
    plain, first, second = (model.apply(params, BATCH, key) for key in (None, jax.random.key(0), jax.random.key(1)))
    assert not np.allclose(first.logs, second.logs)
    np.testing.assert_array_equal(plain.logs, made().apply(params, BATCH).logs)


def test_a_task_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^kind='pointer' needs a task whose answers are generated and copied"):
        pointer(spec_of(generated=0), CELLS["gru"])
    with pytest.raises(ValueError, match=r"^dropout=1.5 must"):
        made(dropout=1.5)
