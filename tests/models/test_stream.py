"""The stream model: against NumPy loops, token by token as at once, and greedy answers side by side."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.decoding import greedy
from gru_research.models import StreamModel, stream
from gru_research.models.past import FEATURES, NEVER, SCALE, SHIFTS
from gru_research.models.stream import LEAST
from gru_research.spec import Spec

V, G, END, USER, BOT = 12, 5, 0, 10, 11
CELLS = {"gru": gr.GRU(6), "lstm": gr.LSTM(5), "rnn": gr.VanillaRNN(7)}
Batch = dict[str, np.ndarray]


def example(rng: np.random.RandomState, turns: int) -> dict[str, list[int]]:
    """A random dialogue: a user's words and the bot's, some of which repeat what was there before."""
    words: list[int] = []
    found: dict[str, list[int]] = {"positions": [], "targets": [], "said": [], "starts": []}
    for _ in range(turns):
        words += [USER, *rng.randint(1, 10, rng.randint(0, 4)), BOT]
        found["starts"].append(len(words) - 1)
        found["said"] += [0] * (len(words) - len(found["said"]))
        answer = [rng.randint(1, G) if rng.rand() < 0.5 else rng.choice(words[:-1]) for _ in range(rng.randint(1, 4))]
        answer = [w if w not in (USER, BOT) else 1 for w in answer]
        found["positions"] += range(len(words) - 1, len(words) + len(answer))
        found["targets"] += [*answer, END]
        words += answer
        found["said"] += [1] * len(answer)
    return {"inputs": words, **found}


def batch_of(examples: list[dict[str, list[int]]]) -> Batch:
    def padded(name: str, fill: int) -> np.ndarray:
        longest = max(len(one[name]) for one in examples)
        return np.array([one[name] + [fill] * (longest - len(one[name])) for one in examples], np.int32)

    batch = {name: padded(name, fill) for name, fill in (("inputs", 3), ("positions", 0), ("targets", 2))}
    batch["lengths"] = np.array([len(one["inputs"]) for one in examples], np.int32)
    batch["target_lengths"] = np.array([len(one["targets"]) for one in examples], np.int32)
    return batch | {"said": padded("said", 1).astype(bool), "starts": padded("starts", 0)}


@pytest.fixture(scope="module")
def batch() -> Batch:
    rng = np.random.RandomState(0)
    return batch_of([example(rng, turns) for turns in (3, 1, 2)])


def made(cell: str = "gru", **options: Any) -> StreamModel:
    shapes = {name: (8,) for name in ("inputs", "positions", "targets")} | {"lengths": (), "target_lengths": ()}
    spec = Spec({name: jax.ShapeDtypeStruct(shape, jnp.int32) for name, shape in shapes.items()}, G, None, V)
    return stream(spec, CELLS[cell], **{"embedding_size": 4, "attention_size": 3, "memory": 64} | options)


def parameters(model: StreamModel) -> Any:
    """Random parameters; those that are 0 at first aren't."""
    params = model.init(jax.random.key(1), {})
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    changed = [a + 0.7 * jax.random.normal(key, a.shape) for a, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, changed)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def probabilities(model: StreamModel, params: Any, batch: Batch, row: int) -> list[np.ndarray]:
    """The distribution `[V]` at each position of a row, by loops over queries and steps."""
    stepped = jax.jit(model.stack.step)
    params, given = jax.tree.map(lambda a: np.asarray(a, np.float64), params), params["stack"]
    inputs = batch["inputs"][row, : batch["lengths"][row]]
    es = params["embedding"]["E"][inputs]
    carry = model.stack.initial_carry(given, ())
    states = []
    for e in es:
        carry, h = stepped(given, carry, jnp.asarray(e, jnp.float32))
        states.append(np.asarray(h, np.float64))
    values = np.concatenate([states, es], 1)
    found = []
    for i in batch["positions"][row, : batch["target_lengths"][row]]:
        ago = {}  # how many steps ago the model last said a word
        for j in range(i + 1):
            if batch["said"][row, j]:
                ago[inputs[j]] = i - j

        def score(p: Any, v: np.ndarray, j: int, i: int = i, ago: Any = ago) -> float:
            features = [(j - i) / SCALE]
            for shift in range(SHIFTS):
                said = j - shift >= 0 and inputs[j - shift] in ago
                features += [float(said), np.exp(-ago[inputs[j - shift]] / SCALE) if said else 0.0]
            compared = (v @ p["W_q"]) @ (values[j] @ p["W_k"]) / np.sqrt(3)
            return compared + (v @ p["W_f"] + p["b_f"]) @ features

        v = states[i]
        for hop in params["hops"]:
            weights = softmax(np.array([score(hop["attention"], v, j) for j in range(i + 1)]))
            v = np.tanh(np.concatenate([v, weights @ values[: i + 1]]) @ hop["W"] + hop["b"])
        sums = np.zeros(V)
        sums[:G] = np.exp(v @ params["readout"]["W"] + params["readout"]["b"])
        for j in range(i + 1):
            sums[inputs[j]] += np.exp(score(params["copy"], v, j))
        found.append(sums / sums.sum())
    return found


def test_the_maths_is_that_of_loops(batch: Batch) -> None:
    model = made()
    params = parameters(model)
    predicted = jax.jit(model.apply)(params, batch)
    for row, count in enumerate(batch["target_lengths"]):
        wanted = probabilities(model, params, batch, row)
        targets = batch["targets"][row, :count]
        logs = np.log([p[target] for p, target in zip(wanted, targets, strict=True)])
        np.testing.assert_allclose(predicted.logs[row, :count], logs, rtol=2e-5, atol=2e-5)
        assert predicted.tokens[row, :count].tolist() == [p.argmax() for p in wanted]
    assert params["copy"]["W_f"].shape == (6, FEATURES)


def test_a_target_that_cannot_be_said_has_a_finite_logarithm() -> None:
    model = made()
    words = {"inputs": [USER, 1, BOT, 9], "positions": [2, 3], "targets": [9, 8], "said": [0] * 4, "starts": [2]}
    one = batch_of([words])
    logs = model.apply(parameters(model), one).logs
    assert logs[0].tolist() == [LEAST, LEAST]


@pytest.mark.parametrize("cell", CELLS)
def test_token_by_token_equals_the_whole(cell: str, batch: Batch) -> None:
    model = made(cell)
    params = parameters(model)
    predicted = jax.jit(model.apply)(params, batch)
    start, step, read = jax.jit(model.start), jax.jit(model.step), jax.jit(model.read)
    for row, count in enumerate(batch["target_lengths"]):
        inputs, said = batch["inputs"][row], batch["said"][row]
        first = {name: batch[name][row : row + 1] for name in ("inputs", "lengths", "said")}
        state, logits = start(params, first | {"lengths": np.array([1], np.int32)})
        after = {0: logits[0]}
        for t in range(1, batch["lengths"][row]):
            state, logits = (step if said[t] else read)(params, state, inputs[t : t + 1])
            after[t] = logits[0]
        for u in range(count):
            logs = after[batch["positions"][row, u]]
            np.testing.assert_allclose(jax.nn.logsumexp(logs), 0, atol=1e-5)
            np.testing.assert_allclose(logs[batch["targets"][row, u]], predicted.logs[row, u], rtol=1e-4, atol=1e-5)
            assert logs.argmax() == predicted.tokens[row, u]
        # From the whole history at once the state is the same.
        whole, logits = model.start(
            params, {name: batch[name][row : row + 1] for name in ("inputs", "lengths", "said")}
        )
        for a, b in zip(jax.tree.leaves((state, after[t])), jax.tree.leaves((whole, logits[0])), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_what_comes_later_and_padding_reach_nothing(batch: Batch) -> None:
    model = made()
    params = parameters(model)
    predicted = model.apply(params, batch)
    cut = int(batch["starts"][0, 2])  # the third answer's first position
    other = {name: a.copy() for name, a in batch.items()}
    other["inputs"][0, cut + 1 :] = 7
    other["inputs"][1, batch["lengths"][1] :] = 9
    before = int((batch["positions"][0, : batch["target_lengths"][0]] <= cut).sum())
    other["targets"][0, before:] = 7
    other["target_lengths"][0] = before
    changed = model.apply(params, other)
    np.testing.assert_array_equal(changed.tokens[0, :before], predicted.tokens[0, :before])
    np.testing.assert_allclose(changed.logs[0, : before - 1], predicted.logs[0, : before - 1], rtol=1e-6)
    count = batch["target_lengths"][1]
    np.testing.assert_allclose(changed.logs[1, :count], predicted.logs[1, :count], rtol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_answers_side_by_side_are_those_of_greedy_decoding(cell: str, batch: Batch) -> None:
    model = made(cell)
    params = parameters(model)
    params["readout"]["b"] = params["readout"]["b"].at[END].add(3.0)  # so that some answers end
    steps = 5
    responses = np.zeros((*batch["starts"].shape, steps), np.int32)
    predicted = jax.jit(model.apply)(params, batch | {"responses": responses})
    decode = jax.jit(functools.partial(greedy, model, end=END, longest=steps))
    right = predicted.tokens == batch["targets"]
    ended = 0
    for row in range(3):
        for r in range(batch["said"][row, : batch["lengths"][row]].any() * 3):
            start = batch["starts"][row, r]
            if r and not start:
                continue
            history = {
                "inputs": batch["inputs"][row : row + 1],
                "lengths": np.array([start + 1], np.int32),
                "said": batch["said"][row : row + 1],
            }
            found = decode(params, history)
            words = [token for token in found.tokens[0].tolist() if token != END]
            assert predicted.answers[row, r].tolist() == [*words, *[END] * (steps - len(words))]
            # A greedy answer is right exactly if each of its tokens is the most probable one after the right ones.
            own = (batch["positions"][row] >= start) & (np.arange(right.shape[1]) < batch["target_lengths"][row])
            own &= np.cumsum((batch["targets"][row] == END) & own) - ((batch["targets"][row] == END) & own) == 0
            wanted = [token for token in batch["targets"][row][own].tolist() if token != END]
            ended += len(words) < steps
            assert (words == wanted) == bool(right[row][own].all())
    assert ended


def test_a_greedy_answer_is_right_exactly_if_every_forced_token_is() -> None:
    """The answers of the model itself, put in the place of the targets, are right in both ways; one that is changed in
    one word is wrong in both."""
    model = made()
    params = parameters(model)
    params["readout"]["b"] = params["readout"]["b"].at[END].add(1.5)
    start = {"inputs": np.array([[USER, 4, 6, BOT]], np.int32), "lengths": np.array([4], np.int32)}
    answer = jax.jit(functools.partial(greedy, model, end=END, longest=8))(params, start)
    words = answer.tokens[0, : answer.lengths[0] - 1].tolist()
    assert answer.tokens[0, -1] == END and words
    for place in [None, *range(len(words))]:
        given = [w if n != place else w % (G - 1) + 1 for n, w in enumerate(words)]
        inputs = [USER, 4, 6, BOT, *given]
        forced = batch_of(
            [{"inputs": inputs, "positions": list(range(3, len(inputs))), "targets": [*given, END],
              "said": [0] * 4 + [1] * len(given), "starts": [3]}]
        )  # fmt: skip
        right = np.asarray(model.apply(params, forced).tokens == forced["targets"])
        assert right.all() == (given == words)


def test_only_the_last_tokens_are_looked_at(batch: Batch) -> None:
    model = made(memory=4)
    params = parameters(model)
    row = {name: batch[name][:1] for name in ("inputs", "lengths", "said")}
    state, _ = model.start(params, row)
    assert state.past.tokens.shape == (1, 4)
    last = batch["inputs"][0, batch["lengths"][0] - 4 : batch["lengths"][0]]
    np.testing.assert_array_equal(state.past.tokens[0], last)
    state, logits = model.read(params, state, np.array([2], np.int32))
    np.testing.assert_array_equal(state.past.tokens[0], [*last[1:], 2])
    unknown = [token for token in range(G, V) if token not in state.past.tokens[0]]
    assert (np.asarray(logits[0])[unknown] == -np.inf).all()


def test_dropout_is_drawn_in_training_alone(batch: Batch) -> None:
    model = made(dropout=0.5, layers=2)
    params = parameters(model)
    first, again = (model.apply(params, batch, jax.random.key(n)).logs for n in (0, 1))
    assert not np.allclose(first, again)
    np.testing.assert_array_equal(model.apply(params, batch).logs, model.apply(params, batch).logs)


def test_gradients_are_finite_and_reach_every_parameter(batch: Batch) -> None:
    model = made()
    params = parameters(model)
    gradients = jax.grad(lambda p: model.apply(p, batch).logs.sum())(params)
    for path, a in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(a).all() and np.abs(a).max() > 0, path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hops": 0}, "hops=0 must be a whole number, at least 1"),
        ({"attention_size": 0}, "attention_size=0 must be a whole number, at least 1"),
        ({"memory": 1}, "memory=1 must be a whole number, at least 2"),
        ({"dropout": 1.0}, "dropout=1.0 must be a rate"),
    ],
)
def test_a_mistake_is_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}") as caught:
        made(**options)
    assert "\n" not in str(caught.value)


def test_a_task_of_another_kind_is_refused() -> None:
    spec = Spec({"inputs": jax.ShapeDtypeStruct((8,), jnp.int32)}, 2, "last", 4)
    with pytest.raises(ValueError, match=r"^kind='stream' needs a task of tokens with inputs, lengths, positions, "):
        stream(spec, gr.GRU(4))
    model = made()
    with pytest.raises(ValueError, match=r"^output_size=13 must be at most vocabulary=12$"):
        stream(Spec({**dict.fromkeys(("inputs", "lengths", "positions", "targets", "target_lengths"),
                                     jax.ShapeDtypeStruct((8,), jnp.int32))}, 13, None, V), gr.GRU(4))  # fmt: skip
    assert dataclasses.replace(model, hops=3) != model and NEVER == -1
