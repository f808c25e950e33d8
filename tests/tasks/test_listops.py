"""ListOps: values against a parser, lengths and values against the published sampling of trees, odds by hand."""

import functools
import random
import re
import statistics

import jax
import numpy as np
import pytest

from gru_research.tasks.listops import TOKENS, listops
from gru_research.tasks.listops_distribution import length_distribution, value_distribution
from tests.tasks.measuring import baseline, baseline_name

BATCH = 4000
LENGTH, MIN_LENGTH, MAX_DEPTH, MAX_ARGS = 20, 6, 4, 4

APPLY = {
    "[MAX": max,
    "[MIN": min,
    "[MED": lambda numbers: int(statistics.median(numbers)),
    "[SM": lambda numbers: sum(numbers) % 10,
}

Tree = int | tuple


def parse(words: list[str]) -> Tree:
    """Parses a digit or `(operator, *trees)` and removes its words from `words`."""
    word = words.pop(0)
    if word.isdigit():
        return int(word)
    tree = [word]
    while words[0] != "]":
        tree.append(parse(words))
    words.pop(0)
    return tuple(tree)


def value_of(tree: Tree) -> int:
    return tree if isinstance(tree, int) else APPLY[tree[0]]([value_of(a) for a in tree[1:]])


def length_of(tree: Tree) -> int:
    return 1 if isinstance(tree, int) else 2 + sum(length_of(a) for a in tree[1:])


def lists_of(tree: Tree, depth: int = 1) -> list[tuple[int, Tree]]:
    """Returns every list in a tree, with its depth."""
    if isinstance(tree, int):
        return []
    return [(depth, tree), *(found for a in tree[1:] for found in lists_of(a, depth + 1))]


def published(rng: random.Random, depth: int = 1) -> Tree:
    """Draws a tree as described in the papers."""
    if depth == MAX_DEPTH or rng.random() > 0.25:
        return rng.randrange(10)
    arguments = [published(rng, depth + 1) for _ in range(rng.randint(2, MAX_ARGS))]
    return (rng.choice(list(APPLY)), *arguments)


TASK = listops(LENGTH, MIN_LENGTH, MAX_DEPTH, MAX_ARGS)
MAKE = jax.jit(TASK.data.make, static_argnums=1)  # pyright: ignore[reportAttributeAccessIssue]


@functools.cache
def made(key: int = 3) -> dict[str, np.ndarray]:
    return {name: np.asarray(a) for name, a in MAKE(jax.random.key(key), BATCH).items()}


@functools.cache
def trees() -> list[Tree]:
    batch = made()
    rows = [[TOKENS[token] for token in row[:n]] for row, n in zip(batch["inputs"], batch["lengths"], strict=True)]
    found = [parse(words) for words in rows]
    assert not any(rows), "nothing stands behind an expression"
    return found


def assert_same_shares(counts: np.ndarray, shares: np.ndarray) -> None:
    """Asserts that every share of the counts is within five standard errors."""
    total = counts.sum()
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_less(np.abs(counts - total * shares), 5 * np.sqrt(total * shares) + 1)


def test_the_target_is_the_value_of_the_expression() -> None:
    batch = made()
    assert batch["inputs"].shape == (BATCH, LENGTH)
    np.testing.assert_array_equal([value_of(tree) for tree in trees()], batch["targets"])


def test_expressions_keep_the_bounds_and_reach_them() -> None:
    batch = made()
    assert (batch["lengths"].min(), batch["lengths"].max()) == (MIN_LENGTH, LENGTH)
    lists = [found for tree in trees() for found in lists_of(tree)]
    assert max(depth for depth, _ in lists) == MAX_DEPTH - 1
    arguments = [len(tree) - 1 for _, tree in lists]
    assert (min(arguments), max(arguments)) == (2, MAX_ARGS)


def test_padding_says_nothing() -> None:
    batch = made()
    assert not batch["inputs"][np.arange(LENGTH) >= batch["lengths"][:, None]].any()


def test_operators_and_digits_are_uniform() -> None:
    batch = made()
    real = batch["inputs"][np.arange(LENGTH) < batch["lengths"][:, None]]
    counts = np.bincount(real, minlength=len(TOKENS))
    assert_same_shares(counts[:10], np.full(10, 0.1))
    assert_same_shares(counts[10:14], np.full(4, 0.25))
    assert counts[14] == counts[10:14].sum()


def test_trees_are_as_likely_as_published() -> None:
    rng = random.Random(0)
    drawn = [published(rng) for _ in range(200_000)]
    kept = [tree for tree in drawn if MIN_LENGTH <= length_of(tree) <= LENGTH]
    assert len(kept) > 10_000
    odds = length_distribution(LENGTH, MAX_DEPTH, MAX_ARGS).tree[0]
    assert len(kept) / len(drawn) == pytest.approx(odds[MIN_LENGTH:].sum(), rel=0.03)
    shares = value_distribution(MIN_LENGTH, LENGTH, MAX_DEPTH, MAX_ARGS)
    for sample in (kept, trees()):
        lengths = np.bincount([length_of(tree) for tree in sample])[MIN_LENGTH:]
        assert_same_shares(lengths, odds[MIN_LENGTH:] / odds[MIN_LENGTH:].sum())
        assert_same_shares(np.bincount([value_of(tree) for tree in sample], minlength=10), shares)
    # What lengths alone don't show: how deep trees are, how wide, and how large what comes first is.
    for feature in (
        lambda tree: max(depth for depth, _ in lists_of(tree)),
        lambda tree: len(tree) - 1,
        lambda tree: length_of(tree[1]),
    ):
        shares = np.bincount([feature(tree) for tree in kept], minlength=LENGTH) / len(kept)
        assert_same_shares(np.bincount([feature(tree) for tree in trees()], minlength=LENGTH), shares)


def test_odds_by_hand() -> None:
    # Four tokens are an operator, two digits and a bracket: 1/4 a list, 1/9 of two, 9/16 both digits.
    odds = length_distribution(4, 10, 10)
    assert odds.tree[0].tolist() == pytest.approx([0, 3 / 4, 0, 0, 1 / 4 / 9 * 9 / 16])
    pairs = [(a, b) for a in range(10) for b in range(10)]
    values = [value_of((operator, a, b)) for operator in APPLY for a, b in pairs]
    np.testing.assert_allclose(value_distribution(4, 4, 10, 10), np.bincount(values) / 400, atol=1e-9)
    # Trees of two levels at most, of two or three digits.
    triples = [(*pair, c) for pair in pairs for c in range(10)]
    values = [value_of((operator, *three)) for operator in APPLY for three in triples]
    np.testing.assert_allclose(value_distribution(5, 7, 2, 3), np.bincount(values) / 4000, atol=1e-9)
    assert length_distribution(7, 2, 3).tree[0].tolist() == pytest.approx([0, 0.75, 0, 0, 1 / 8, 1 / 8, 0, 0])


def test_the_baseline_is_the_share_of_the_commonest_value() -> None:
    counts = np.bincount(made()["targets"], minlength=10)
    commonest = int(baseline_name(TASK).split()[-1])
    # A share of 4,000 is good to .006.
    assert counts[commonest] / BATCH == pytest.approx(baseline(TASK), abs=0.03)
    assert counts.max() / BATCH < baseline(TASK) + 0.03
    assert baseline(listops()) == pytest.approx(0.157, abs=0.001) and listops().threshold > baseline(listops())


def test_a_batch_is_a_function_of_the_key_alone_and_jit_changes_nothing() -> None:
    first, other = made(), made(4)
    eager = TASK.data.make(jax.random.key(3), BATCH)  # pyright: ignore[reportAttributeAccessIssue]
    for name in first:
        np.testing.assert_array_equal(first[name], eager[name])
        assert not np.array_equal(first[name], other[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 3}, "length=3 must be from 4 to 4000"),
        ({"length": 50, "min_length": 51}, "min_length=51 must be 0 (a quarter of length) or from 4 to 50"),
        ({"min_length": 3}, "min_length=3 must be 0 (a quarter of length) or from 4 to 100"),
        ({"max_depth": 1}, "max_depth=1 must be from 2 to 40"),
        ({"max_args": 21}, "max_args=21 must be from 2 to 20"),
        ({"threshold": 0}, "threshold=0 must be above 0 and at most 1"),
        ({"max_depth": 2, "min_length": 13}, "min_length=13 is out of reach: with max_depth=2 and max_args=10 fewer"),
        ({"length": 300, "min_length": 290, "max_depth": 4, "max_args": 8}, "min_length=290 is out of reach"),
    ],
)
def test_mistakes(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        listops(**options)


def test_numpys_scalars_serve_as_numbers() -> None:
    numbers = MIN_LENGTH, LENGTH, MAX_DEPTH, MAX_ARGS
    np.testing.assert_array_equal(value_distribution(*map(np.int64, numbers)), value_distribution(*numbers))
    assert baseline(listops(np.int64(LENGTH), max_depth=np.int64(3))) == baseline(listops(LENGTH, max_depth=3))
