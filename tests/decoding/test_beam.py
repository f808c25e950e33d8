"""Beam search against all answers of a small vocabulary, and against a search written with lists."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research.decoding import Answers, beam_search, greedy
from tests.decoding.prefix_tree import PrefixTree, all_answers, next_logs, random_logits, rows

TREE = PrefixTree(vocabulary=4, longest=4)
EXAMPLES = 6


@functools.cache
def compiled(tree: PrefixTree, decode: Any, **options: Any) -> Any:
    return jax.jit(functools.partial(decode, tree, **options))


def searched(logits: np.ndarray, tree: PrefixTree = TREE, decode: Any = beam_search, **options: Any) -> Answers:
    options = {"longest": tree.longest, **options}
    return compiled(tree, decode, **options)({"logits": jnp.asarray(logits)}, {"inputs": jnp.arange(len(logits))})


def best(logits: np.ndarray, end: int, alpha: float, **how: Any) -> tuple[tuple[int, ...], float]:
    """The best answer that ends."""
    ended = {a: score for a, score in all_answers(logits, end, TREE.longest, **how).items() if a[-1] == end}
    answer = max(ended, key=lambda a: ended[a] / len(a) ** alpha)
    return answer, ended[answer]


@pytest.mark.parametrize(
    ("end", "alpha", "no_repeat"), [(0, 0.0, 0), (3, 1.0, 0), (3, 0.4, 0), (2, 0.0, 1), (2, 1.0, 2), (2, 1.0, 3)]
)
def test_enough_beams_find_the_best_answer(end: int, alpha: float, no_repeat: int) -> None:
    logits = random_logits(TREE, EXAMPLES, seed=1)
    logits[..., end] -= 1  # so that longer answers compete
    found = searched(logits, end=end, beams=TREE.vocabulary**TREE.longest, length_penalty=alpha, no_repeat=no_repeat)
    expected = [best(table, end, alpha, no_repeat=no_repeat) for table in logits]
    assert rows(found, end) == [answer for answer, _ in expected]
    np.testing.assert_allclose(found.scores, [score for _, score in expected], rtol=1e-5)


def test_the_penalty_and_the_ban_change_which_answer_is_the_best() -> None:
    """Else the test above could pass without them."""
    logits = random_logits(TREE, EXAMPLES, seed=1)
    logits[..., 2] -= 1
    answers = {
        how: [best(table, 2, how[0], no_repeat=how[1])[0] for table in logits] for how in [(0, 0), (1, 0), (1, 2)]
    }
    assert answers[0, 0] != answers[1, 0] != answers[1, 2]


def listed_search(
    logits: np.ndarray, end: int, longest: int, beams: int, alpha: float, no_repeat: int
) -> tuple[tuple[int, ...], float]:
    """Beam search on one example's `logits [nodes, V]`, in the words of the docstring."""
    followed: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    finished: list[tuple[tuple[int, ...], float]] = []
    for _ in range(longest):
        candidates = [
            ((*tokens, token), score + log)
            for tokens, score in followed
            for token, log in enumerate(next_logs(logits, tokens, no_repeat))
            if np.isfinite(log)
        ]
        candidates.sort(key=lambda candidate: -candidate[1])
        finished += [candidate for candidate in candidates[:beams] if candidate[0][-1] == end]
        followed = [candidate for candidate in candidates if candidate[0][-1] != end][:beams]
    if finished:
        return max(finished, key=lambda candidate: candidate[1] / len(candidate[0]) ** alpha)
    return followed[0]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([0.3, 1.0, 4.0]),
    rare=st.sampled_from([0.0, 2.0, 100.0]),
    options=st.sampled_from([(1, 0.0, 0), (2, 0.0, 0), (2, 1.0, 2), (3, 0.7, 1), (5, 1.0, 0)]),
)
def test_few_beams_find_what_a_search_with_lists_finds(
    seed: int, scale: float, rare: float, options: tuple[int, float, int]
) -> None:
    beams, alpha, no_repeat = options
    logits = random_logits(TREE, EXAMPLES, seed, scale)
    logits[..., 1] -= rare  # at 100 no answer ends
    found = searched(logits, end=1, beams=beams, length_penalty=alpha, no_repeat=no_repeat)
    expected = [listed_search(table, 1, TREE.longest, beams, alpha, no_repeat) for table in logits]
    assert rows(found, 1) == [answer for answer, _ in expected]
    np.testing.assert_allclose(found.scores, [score for _, score in expected], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("no_repeat", [0, 2])
def test_one_beam_is_greedy_to_the_bit(no_repeat: int) -> None:
    logits = random_logits(TREE, 200, seed=3).round()  # many tokens are equally probable
    one, step_by_step = (
        searched(logits, decode=decode, end=1, no_repeat=no_repeat, **options)
        for decode, options in [(beam_search, {"beams": 1}), (greedy, {})]
    )
    jax.tree.map(np.testing.assert_array_equal, one, step_by_step)
    assert {len(answer) for answer in rows(one, 1)} == {1, 2, 3, 4}


def test_two_beams_find_an_answer_that_greedy_misses() -> None:
    """0.4 * 0.9 * 0.9 behind the second token is more than 0.5 * 0.4 * 0.9 behind the first."""
    tree = PrefixTree(vocabulary=3, longest=3)
    probabilities = np.full((1, tree.nodes, 3), 1 / 3)
    probabilities[0, 0] = [0.1, 0.5, 0.4]
    probabilities[0, 2] = [0.3, 0.4, 0.3]  # behind token 1
    probabilities[0, 2 * 3 + 2] = [0.9, 0.05, 0.05]  # behind tokens 1, 1
    probabilities[0, 3] = [0.05, 0.05, 0.9]  # behind token 2
    probabilities[0, 3 * 3 + 3] = [0.9, 0.05, 0.05]  # behind tokens 2, 2
    logits = np.log(probabilities).astype(np.float32)
    assert rows(searched(logits, tree, greedy, end=0), 0) == [(1, 1, 0)]
    found = searched(logits, tree, end=0, beams=2)
    assert rows(found, 0) == [(2, 2, 0)]
    np.testing.assert_allclose(np.exp(found.scores), [0.4 * 0.9 * 0.9], rtol=1e-5)


def test_a_finished_answer_takes_no_place_and_keeps_its_score() -> None:
    """The end is the best first token; the other beam leads to an answer with a higher mean."""
    tree = PrefixTree(vocabulary=2, longest=3)
    probabilities = np.full((1, tree.nodes, 2), 0.5)
    probabilities[0, 0] = [0.6, 0.4]
    probabilities[0, 2] = [0.01, 0.99]
    probabilities[0, 2 * 2 + 2] = [0.99, 0.01]
    logits = np.log(probabilities).astype(np.float32)
    ended = searched(logits, tree, end=0, beams=2)
    assert rows(ended, 0) == [(0,)]
    np.testing.assert_allclose(np.exp(ended.scores), [0.6], rtol=1e-5)
    for beams in (1, 2):
        longer = searched(logits, tree, end=0, beams=beams, length_penalty=1.0)
        assert rows(longer, 0) == [(1, 1, 0)]
        np.testing.assert_allclose(np.exp(longer.scores), [0.4 * 0.99 * 0.99], rtol=1e-5)


def test_of_two_equally_good_answers_the_one_that_ended_first() -> None:
    """As in greedy, which never comes to the other."""
    tree = PrefixTree(vocabulary=2, longest=2)
    logits = np.zeros((1, tree.nodes, 2), np.float32)
    logits[0, 2] = [0, -np.inf]  # behind token 1 the end is certain
    for beams in (1, 2):
        found = searched(logits, tree, end=0, beams=beams)
        assert rows(found, 0) == [(0,)]
        np.testing.assert_allclose(np.exp(found.scores), [0.5], rtol=1e-6)


def test_more_beams_than_answers_change_nothing() -> None:
    tree = PrefixTree(vocabulary=2, longest=2)
    logits = random_logits(tree, 5, seed=4)
    found = [searched(logits, tree, end=0, beams=beams) for beams in (4, 50)]
    jax.tree.map(np.testing.assert_array_equal, *found)
    assert rows(found[0], 0) == [max(a, key=a.__getitem__) for a in (_ended(table) for table in logits)]


def _ended(logits: np.ndarray) -> dict[tuple[int, ...], float]:
    return {a: score for a, score in all_answers(logits, 0, 2).items() if a[-1] == 0}


def test_a_vocabulary_of_the_end_alone() -> None:
    tree = PrefixTree(vocabulary=1, longest=3)
    found = searched(np.zeros((2, tree.nodes, 1), np.float32), tree, end=0, beams=3)
    assert rows(found, 0) == [(0,), (0,)]
    np.testing.assert_array_equal(found.scores, [0, 0])


class Remembers(PrefixTree):
    """Carries an array that no step changes, or that every step makes anew."""

    renew = False

    def start(self, params: Any, batch: Any) -> Any:
        state, logits = super().start(params, batch)
        return (state, jnp.ones((len(logits), 7, 5))), logits

    def step(self, params: Any, state: Any, tokens: Any) -> Any:
        state, memory = state
        state, logits = super().step(params, state, tokens)
        return (state, memory + 1 if self.renew else memory), logits


class Renews(Remembers):
    renew = True


@pytest.mark.parametrize(("model", "copies"), [(Remembers(4, 4), 0), (Renews(4, 4), 1)])
def test_an_array_that_no_step_changes_isn_t_copied_when_beams_are_chosen(model: PrefixTree, copies: int) -> None:
    logits = random_logits(TREE, 2, seed=5)
    search = functools.partial(beam_search, model, end=0, longest=4, beams=3)
    arguments = {"logits": jnp.asarray(logits)}, {"inputs": jnp.arange(2)}
    program = str(jax.make_jaxpr(search)(*arguments))
    chosen = [line for line in program.splitlines() if "gather[" in line and "f32[2,3,7,5]" in line]
    assert len(chosen) == copies
    jax.tree.map(np.testing.assert_array_equal, jax.jit(search)(*arguments), searched(logits, end=0, beams=3))
