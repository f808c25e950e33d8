"""What holds for every way of decoding: against steps taken one by one, compiled or not, any state, bad input."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.decoding import DECODERS, Answers, beam_search, greedy
from gru_research.models import Generator
from gru_research.types import Array, ArrayLike, Batch, Params, PRNGKey
from tests.decoding.prefix_tree import PrefixTree, log_softmax, next_logs, random_logits, rows

TREE = PrefixTree(vocabulary=4, longest=4)
END = 2


def decode(name: str, model: Any, params: Any, batch: Any, **options: Any) -> Answers:
    key = {"key": jax.random.key(0)} if name == "sample" else {}
    return DECODERS[name](model, params, batch, **key, **{"end": END, "longest": 4, **options})


def tree_arguments(examples: int = 30, seed: int = 0) -> tuple[Params, Batch]:
    return {"logits": jnp.asarray(random_logits(TREE, examples, seed))}, {"inputs": jnp.arange(examples)}


@pytest.mark.parametrize("no_repeat", [0, 1, 2, 4, 9])
def test_greedy_is_the_argmax_of_every_step(no_repeat: int) -> None:
    params, batch = tree_arguments()
    found = jax.jit(functools.partial(greedy, TREE, end=END, longest=4, no_repeat=no_repeat))(params, batch)
    expected = []
    for table in np.asarray(params["logits"]):
        answer: tuple[int, ...] = ()
        while len(answer) < 4 and END not in answer:
            answer = (*answer, int(np.argmax(next_logs(table, answer, no_repeat))))
        expected.append((answer, sum(next_logs(table, answer[:t])[token] for t, token in enumerate(answer))))
    assert rows(found, END) == [answer for answer, _ in expected]
    np.testing.assert_allclose(found.scores, [score for _, score in expected], rtol=1e-5)
    assert {len(answer) for answer, _ in expected} == {1, 2, 3, 4}


@pytest.mark.parametrize("name", ["greedy", "sample"])
def test_without_an_end_every_answer_has_all_its_tokens(name: str) -> None:
    params, batch = tree_arguments()
    found = decode(name, TREE, params, batch, end=None)
    assert found.lengths.tolist() == [4] * 30
    # Up to its end an answer is the one that may end there.
    ended = decode(name, TREE, params, batch)
    until = np.arange(4) < np.asarray(ended.lengths)[:, None]
    np.testing.assert_array_equal(np.where(until, found.tokens, END), ended.tokens)
    assert (np.asarray(found.tokens) < 4).all() and (np.asarray(ended.lengths) < 4).any()


@dataclasses.dataclass(frozen=True)
class Recurrent:
    """A GRU that reads its own tokens. Its state is nested, of many types, and all of it counts."""

    cell: gr.GRU = gr.GRU(5)
    vocabulary: int = 3

    def init(self, key: PRNGKey, example: Batch) -> Params:
        cell, out = jax.random.split(key)
        size = (self.cell.hidden_size, self.vocabulary)
        return {"cell": self.cell.init(cell, self.vocabulary), "out": 3 * jax.random.normal(out, size)}

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Any:
        raise NotImplementedError("not trained here")

    def start(self, params: Params, batch: Batch) -> tuple[Any, Array]:
        size = len(batch["inputs"])
        state = {
            "h": batch["inputs"],
            "nested": ({"odd": jnp.zeros(size, bool)}, jnp.zeros((size, 2, 1), jnp.bfloat16), ()),
            "count": jnp.zeros(size, jnp.int8),
            "key": jax.vmap(jax.random.key)(jnp.arange(size)),
            "bias": batch["inputs"][:, : self.vocabulary],
        }
        return state, batch["inputs"] @ params["out"]

    def step(self, params: Params, state: Any, tokens: Array) -> tuple[Any, Array]:
        h, h_out = self.cell.step(params["cell"], state["h"], jax.nn.one_hot(tokens, self.vocabulary))
        flags, sums, nothing = state["nested"]
        odd, count = flags["odd"], state["count"]
        key = jax.vmap(jax.random.fold_in)(state["key"], tokens)
        noise = jax.vmap(lambda key: jax.random.normal(key, (self.vocabulary,)))(key)
        extra = jnp.stack([odd.astype(jnp.float32), sums[:, 1, 0].astype(jnp.float32), count.astype(jnp.float32)], 1)
        after = {
            "h": h,
            "nested": ({"odd": odd ^ (tokens == 1)}, sums + tokens[:, None, None].astype(jnp.bfloat16), nothing),
            "count": count + (tokens == 0).astype(jnp.int8),
            "key": key,
            "bias": state["bias"],
        }
        return after, h_out @ params["out"] + noise + 0.3 * extra + state["bias"]


def stepped(model: Generator, params: Params, batch: Batch, tokens_BN: ArrayLike) -> np.ndarray:
    """The log-probabilities `[B, N]` of tokens that are fed to the model one by one."""
    state, logits = jax.jit(model.start)(params, batch)
    step = jax.jit(model.step)
    logs = []
    for token_B in np.asarray(tokens_BN).T:
        logs.append(log_softmax(np.asarray(logits))[np.arange(len(token_B)), token_B])
        state, logits = step(params, state, jnp.asarray(token_B))
    return np.stack(logs, axis=1)


def recurrent_arguments(rows: int) -> tuple[Params, Batch]:
    model = Recurrent()
    inputs = jax.random.normal(jax.random.key(2), (rows, model.cell.hidden_size))
    return model.init(jax.random.key(1), {}), {"inputs": inputs}


@pytest.mark.parametrize("name", DECODERS)
def test_scores_are_those_of_the_tokens_fed_one_by_one_for_a_state_of_many_types(name: str) -> None:
    params, batch = recurrent_arguments(6)
    found = jax.jit(functools.partial(decode, name, Recurrent()))(params, batch)
    logs = stepped(Recurrent(), params, batch, found.tokens)
    expected = [log[:length].sum() for log, length in zip(logs, found.lengths, strict=True)]
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4)
    assert len(set(rows(found, END))) > 1


def test_beam_search_finds_the_best_of_all_tokens_fed_one_by_one() -> None:
    """The state of each beam follows its tokens: with another beam's the scores would be others."""
    model, (params, batch) = Recurrent(), recurrent_arguments(6)
    found = jax.jit(functools.partial(beam_search, model, end=END, longest=3, beams=27))(params, batch)
    tokens = np.array(np.unravel_index(np.arange(27), (3, 3, 3))).T
    ends = (tokens == END).any(1)
    lengths = np.argmax(tokens == END, axis=1) + 1
    state, logits = jax.tree.map(lambda leaf: jnp.repeat(leaf, 27, axis=0), model.start(params, batch))

    @dataclasses.dataclass(frozen=True)
    class Repeated(Recurrent):
        def start(self, params: Params, batch: Batch) -> tuple[Any, Array]:
            return state, logits

    logs = stepped(Repeated(), params, {}, np.tile(tokens, (6, 1))).reshape(6, 27, 3)
    scores = np.where(np.arange(3) < lengths[:, None], logs, 0).sum(-1)
    scores = np.where(ends, scores, -np.inf)
    np.testing.assert_allclose(found.scores, scores.max(1), rtol=1e-5)
    expected = [tuple(tokens[i, : lengths[i]].tolist()) for i in scores.argmax(1)]
    assert rows(found, END) == expected


@pytest.mark.parametrize("name", DECODERS)
def test_jit_is_no_jit_and_is_one_loop(name: str) -> None:
    params, batch = recurrent_arguments(4)
    run = functools.partial(decode, name, Recurrent())
    compiled, plain = jax.jit(run)(params, batch), run(params, batch)
    np.testing.assert_array_equal(compiled.tokens, plain.tokens)
    np.testing.assert_array_equal(compiled.lengths, plain.lengths)
    np.testing.assert_allclose(compiled.scores, plain.scores, rtol=1e-5)
    loops = [e for e in jax.make_jaxpr(run)(params, batch).eqns if e.primitive.name in ("scan", "while")]
    assert [e.params["length"] for e in loops] == [4]


@pytest.mark.parametrize("name", DECODERS)
def test_parameters_side_by_side_under_vmap(name: str) -> None:
    params, batch = tree_arguments(3)
    both = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf]), params)
    found = jax.vmap(lambda params: decode(name, TREE, params, batch))(both)
    for i in range(2):
        alone = decode(name, TREE, jax.tree.map(lambda leaf, i=i: leaf[i], both), batch)
        np.testing.assert_array_equal(found.tokens[i], alone.tokens)
        np.testing.assert_allclose(found.scores[i], alone.scores, rtol=1e-6)


@pytest.mark.parametrize("name", DECODERS)
def test_strict_promotion_64_bit_and_16_bit_logits(name: str) -> None:
    params, batch = tree_arguments(20)
    rounded = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    options: dict[str, Any] = {"no_repeat": 2} | ({"top_k": 3, "top_p": 0.9} if name == "sample" else {})
    expected = decode(name, TREE, jax.tree.map(lambda leaf: leaf.astype(jnp.float32), rounded), batch, **options)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        jax.tree.map(np.testing.assert_array_equal, decode(name, TREE, rounded, batch, **options), expected)
    with jax.enable_x64(True):
        wide = decode(name, TREE, jax.tree.map(lambda leaf: leaf.astype(jnp.float64), rounded), batch, **options)
    assert rows(wide, END) == rows(expected, END)


@pytest.mark.parametrize("name", DECODERS)
def test_a_longest_of_1_and_a_batch_of_1(name: str) -> None:
    logits = np.log([[[0.001, 0.998, 0.0005, 0.0005]]]).astype(np.float32)
    params, batch = {"logits": jnp.asarray(np.tile(logits, (1, TREE.nodes, 1)))}, {"inputs": jnp.zeros(1, jnp.int32)}
    found = decode(name, TREE, params, batch, longest=1)
    assert rows(found, END) == [(2,)] if name == "beam_search" else [(1,)]


@pytest.mark.parametrize("name", DECODERS)
def test_a_batch_of_none(name: str) -> None:
    params, batch = {"logits": jnp.zeros((1, TREE.nodes, 4))}, {"inputs": jnp.zeros(0, jnp.int32)}
    found = decode(name, TREE, params, batch, longest=2)
    assert found.tokens.shape == (0, 2) and found.lengths.shape == found.scores.shape == (0,)


class Changed(PrefixTree):
    """A generator of which one method is made wrong by `wrong`."""

    def __init__(self, start: Any = None, step: Any = None) -> None:
        super().__init__(4, 4)
        object.__setattr__(self, "wrong", {"start": start, "step": step})

    def start(self, params: Params, batch: Batch) -> tuple[Any, Array]:
        return self._changed("start", super().start(params, batch))

    def step(self, params: Params, state: Any, tokens: Array) -> tuple[Any, Array]:
        return self._changed("step", super().step(params, state, tokens))

    def _changed(self, method: str, result: tuple[Any, Array]) -> tuple[Any, Array]:
        wrong = self.wrong[method]  # type: ignore[attr-defined]
        return wrong(*result) if wrong else result


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("greedy", {"longest": 0}, "longest=0 must be a whole number, at least 1"),
        ("beam_search", {"longest": 2.5}, "longest=2.5 must be a whole number, at least 1"),
        ("greedy", {"end": 4}, "end=4 must be a token of the model's vocabulary, from 0 to 3"),
        ("beam_search", {"end": -1}, "end=-1 must be a token of the model's vocabulary, from 0 to 3"),
        ("sample", {"no_repeat": -1}, "no_repeat=-1 must be a whole number, at least 0"),
        ("sample", {"temperature": 0.0}, "temperature=0.0 must be a finite number above 0"),
        ("sample", {"temperature": float("inf")}, "temperature=inf must be a finite number above 0"),
        ("sample", {"top_k": -1}, "top_k=-1 must be a whole number, at least 0"),
        ("sample", {"top_p": 0.0}, "top_p=0.0 must be a share of probability, above 0 and at most 1"),
        ("sample", {"top_p": 1.1}, "top_p=1.1 must be a share of probability, above 0 and at most 1"),
        ("beam_search", {"beams": 0}, "beams=0 must be a whole number, at least 1"),
        ("beam_search", {"length_penalty": -0.5}, "length_penalty=-0.5 must be a finite number, at least 0"),
    ],
)
def test_an_option_out_of_range_is_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.") + "$"):
        decode(name, TREE, *tree_arguments(3), **options)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (gr.GRU(3), r"model=GRU\(.* can't generate: it lacks start \(models.Generator\)"),
        ("text", r"model='text' can't generate: it lacks start and step \(models.Generator\)"),
        (
            Changed(start=lambda state, logits: (state, logits[:, None])),
            r"Changed.start gave logits float32\[3, 1, 4\]; they must be floating-point numbers \[B, V\]",
        ),
        (
            Changed(start=lambda state, logits: ((*state, jnp.zeros(())), logits)),
            r"Changed.start gave state\[2\] float32\[\]; its first axis must be the batch, 3",
        ),
        (
            Changed(step=lambda state, logits: ((state[0], state[1].astype(float)), logits)),
            r"Changed.step gave state\[1\] float32\[3\]; Changed.start gave int32\[3\]",
        ),
        (
            Changed(step=lambda state, logits: (state, logits[:, :2])),
            r"Changed.step gave logits float32\[3, 2\]; Changed.start gave float32\[3, 4\]",
        ),
        (
            Changed(step=lambda state, logits: (state[1:], logits)),
            r"Changed.step gave the state PyTreeDef\(\(\*,\)\); it must be one as Changed.start gives, "
            r"PyTreeDef\(\(\*, \*\)\)",
        ),
    ],
)
def test_a_model_that_can_t_generate_is_refused_with_one_line(name: str, model: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        decode(name, model, *tree_arguments(3))


def test_the_key_of_a_sample_is_one_key() -> None:
    with pytest.raises(TypeError, match=r"^key=0 must be one key"):
        DECODERS["sample"](TREE, *tree_arguments(3), 0, end=END, longest=4)
