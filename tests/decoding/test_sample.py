"""Sampling: which tokens are kept, how often each answer comes, and what a row's noise depends on."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gru_research.decoding import Answers, greedy, sample
from gru_research.decoding.sample import kept, tempered
from tests.decoding.prefix_tree import PrefixTree, all_answers, log_softmax, next_logs, random_logits, rows

TREE = PrefixTree(vocabulary=4, longest=3)
END = 3


@functools.cache
def compiled(decode: Any, **options: Any) -> Any:
    return jax.jit(functools.partial(decode, TREE, end=END, **{"longest": TREE.longest, **options}))


def sampled(logits: np.ndarray, key: int = 0, examples: Any = None, **options: Any) -> Answers:
    examples = np.arange(len(logits)) if examples is None else np.asarray(examples)
    arguments = {"logits": jnp.asarray(logits)}, {"inputs": jnp.asarray(examples)}
    return compiled(sample, **options)(*arguments, jax.random.key(key))


def listed_kept(p: np.ndarray, top_k: int, top_p: float) -> set[int]:
    """The tokens that `top_k` and `top_p` keep of the probabilities `p [V]`."""
    order = sorted(range(len(p)), key=lambda token: (-p[token], token))[: top_k or None]
    among = p[order] / p[order].sum()
    found: set[int] = set()
    for token, share in zip(order, np.cumsum(among), strict=True):
        found.add(token)
        if top_p < 1 and share >= top_p:
            break
    return found


HALVES = np.log([0.125, 0.5, 0.25, 0.125])


@pytest.mark.parametrize(
    ("top_k", "top_p", "expected"),
    [
        (0, 1.0, {0, 1, 2, 3}),
        (1, 1.0, {1}),
        (2, 1.0, {1, 2}),
        (3, 1.0, {0, 1, 2}),  # of the two that are equal the lower one
        (4, 1.0, {0, 1, 2, 3}),
        (99, 1.0, {0, 1, 2, 3}),
        (0, 1e-9, {1}),
        (0, 0.45, {1}),
        (0, 0.55, {1, 2}),
        (0, 0.8, {0, 1, 2}),
        (0, 0.9, {0, 1, 2, 3}),
        (2, 0.6, {1}),  # 2/3 of what top_k leaves
        (2, 0.7, {1, 2}),
    ],
)
def test_the_tokens_that_are_kept(top_k: int, top_p: float, expected: set[int]) -> None:
    assert set(np.flatnonzero(kept(jnp.asarray(HALVES, jnp.float32), top_k, top_p))) == expected
    assert listed_kept(np.exp(HALVES), top_k, top_p) == expected


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    logits=st.lists(st.integers(-4, 4), min_size=6, max_size=6), top_k=st.sampled_from([0, 3]), tenths=st.integers(0, 9)
)
def test_the_tokens_that_are_kept_of_any_distribution(logits: list[int], top_k: int, tenths: int) -> None:
    p = np.exp(log_softmax(np.array(logits)))
    top_p = tenths / 10 + 0.0437  # sums of these probabilities come no closer to it than rounding does
    assert set(np.flatnonzero(kept(jnp.asarray(logits, jnp.float32), top_k, top_p))) == listed_kept(p, top_k, top_p)


def exact(logits: np.ndarray, temperature: float, top_k: int, top_p: float) -> dict[tuple[int, ...], float]:
    """The probability of every answer of one example."""

    def log_of(prefix: tuple[int, ...], token: int) -> float:
        logs = log_softmax(next_logs(logits, prefix) / temperature)
        keep = sorted(listed_kept(np.exp(logs), top_k, top_p))
        return float(log_softmax(logs[keep])[keep.index(token)]) if token in keep else -np.inf

    answers = all_answers(logits, END, TREE.longest)
    logs = {a: sum(log_of(a[:t], token) for t, token in enumerate(a)) for a in answers}
    return {a: float(np.exp(log)) for a, log in logs.items() if np.isfinite(log)}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.6},
        {"temperature": 2.0, "top_k": 3},
        {"top_p": 0.7},
        {"temperature": 1.5, "top_k": 3, "top_p": 0.8},
    ],
)
def test_answers_come_as_often_as_their_probability_says(options: dict[str, Any]) -> None:
    logits = random_logits(TREE, 1, seed=7)
    probabilities = exact(logits[0], **{"temperature": 1.0, "top_k": 0, "top_p": 1.0, **options})
    assert sum(probabilities.values()) == pytest.approx(1)
    draws = 20_000
    drawn = rows(sampled(logits, examples=np.zeros(draws, int), **options), END)
    assert set(drawn) <= set(probabilities)
    # Answers that are expected less than 5 times are counted together, as the test's approximation asks.
    often = [a for a, p in probabilities.items() if p * draws >= 5]
    expected = np.array([probabilities[a] for a in often] + [1 - sum(probabilities[a] for a in often)]) * draws
    counts = np.array([drawn.count(a) for a in often] + [draws - sum(drawn.count(a) for a in often)])
    some = expected > 1e-6 * draws
    assert len(often) > 5 and counts[~some].sum() == 0
    assert stats.chisquare(counts[some], expected[some], sum_check=False).pvalue > 1e-3


def test_scores_are_the_model_s_at_temperature_1_over_all_tokens() -> None:
    logits = random_logits(TREE, 50, seed=8)
    found = sampled(logits, temperature=1.5, top_k=3, top_p=0.8, no_repeat=1)
    expected = [all_answers(table, END, TREE.longest)[a] for table, a in zip(logits, rows(found, END), strict=True)]
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}])
def test_the_most_probable_token_alone_is_greedy(options: dict[str, Any]) -> None:
    logits = random_logits(TREE, 50, seed=9)
    arguments = {"logits": jnp.asarray(logits)}, {"inputs": jnp.arange(50)}
    jax.tree.map(np.testing.assert_array_equal, sampled(logits, **options), compiled(greedy)(*arguments))


def test_the_lowest_temperature_makes_no_nan_and_no_tie() -> None:
    """Of 100 tokens that are almost equally probable: their logarithms are -4.6, divided by next to nothing."""
    logs = jax.nn.log_softmax(jnp.zeros(100).at[57].set(0.001))
    found = tempered(logs, 1e-300)
    assert found[57] == 0 and (np.delete(found, 57) < -1e30).all()


def test_one_key_gives_one_sample_and_another_key_another() -> None:
    logits = random_logits(TREE, 50, seed=10)
    first, again, other = (rows(sampled(logits, key=key), END) for key in (1, 1, 2))
    assert first == again != other


def test_equal_rows_and_equal_steps_have_noise_of_their_own() -> None:
    logits = np.zeros((1, TREE.nodes, TREE.vocabulary), np.float32)
    tokens_BN = np.asarray(sampled(logits, examples=np.zeros(1000, int)).tokens)
    assert len(np.unique(tokens_BN, axis=0)) == 1 + 3 + 9 * 4  # all answers
    whole = tokens_BN[(tokens_BN[:, :2] != END).all(1)]
    assert 0.2 < (whole[:, 0] == whole[:, 1]).mean() < 0.45  # 1/3


def test_a_row_s_sample_depends_on_neither_its_batch_nor_the_longest() -> None:
    logits = random_logits(TREE, 9, seed=11)
    alone = rows(sampled(logits, examples=[4, 5, 6]), END)
    assert rows(sampled(logits, examples=[4, 5, 6, 0, 1, 2, 3, 8]), END)[:3] == alone
    assert rows(sampled(logits, examples=[7, 5, 2]), END)[1] == alone[1]
    shorter = rows(sampled(logits, examples=[4, 5, 6], longest=2), END)
    assert shorter == [answer[:2] for answer in alone] and max(map(len, alone)) == 3


def test_a_key_for_each_row() -> None:
    """One key is numbered by row: the same keys given one by one, in another order, give the same answers."""
    logits = random_logits(TREE, 5, seed=12)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), jnp.arange(5))
    order = np.array([3, 0, 4])
    arguments = {"logits": jnp.asarray(logits)}, {"inputs": jnp.asarray(order)}
    found = rows(compiled(sample)(*arguments, keys[order]), END)
    expected = rows(sampled(logits), END)
    assert found == [expected[i] for i in order]
    with pytest.raises(ValueError, match=r"^key of shape \(5,\) must be one key, or one for each row of the batch, 3"):
        compiled(sample)(*arguments, keys)


def test_nothing_repeats_and_all_that_remains_comes() -> None:
    logits = np.zeros((1, TREE.nodes, TREE.vocabulary), np.float32)
    found = set(rows(sampled(logits, examples=np.zeros(1000, int), no_repeat=1), END))
    assert found == set(all_answers(logits[0], END, TREE.longest, no_repeat=1))
