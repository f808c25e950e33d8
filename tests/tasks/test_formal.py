"""Regular languages: answers against a computation string by string, lengths, baselines, padding."""

import functools
import re
from collections.abc import Callable

import jax
import numpy as np
import pytest

from gru_research.data import DataDirs
from gru_research.tasks.base import Task
from gru_research.tasks.constant_baseline import best_constant
from gru_research.tasks.formal import cycle_navigation, modular_arithmetic, parity
from tests.tasks.measuring import baseline, baseline_name

BATCH = 2000


def parity_of(tokens: list[int]) -> int:
    return tokens.count(1) % 2


def value_of(tokens: list[int], modulus: int) -> int:
    symbols = [str(i) for i in range(modulus)] + ["+", "-", "*"]
    return eval(" ".join(symbols[token] for token in tokens)) % modulus


def place_of(tokens: list[int], cycle: int) -> int:
    place = 0
    for token in tokens:
        place += {0: -1, 1: 0, 2: 1}[token]
    return place % cycle


CASES: dict[str, tuple[Task, Callable[[list[int]], int], tuple[int, int, int]]] = {
    "parity": (parity(9, 21), parity_of, (1, 9, 1)),
    "arithmetic": (modular_arithmetic(10, 22, modulus=7), lambda tokens: value_of(tokens, 7), (1, 9, 2)),
    "cycle": (cycle_navigation(9, 21), lambda tokens: place_of(tokens, 5), (1, 9, 1)),
}


@functools.cache
def maker(name: str, test: bool) -> Callable[[jax.Array], dict[str, jax.Array]]:
    data = CASES[name][0].data
    return jax.jit(lambda key: (data.make_test if test else data.make)(key, BATCH))


def made(name: str, test: bool, key: int = 3) -> dict[str, np.ndarray]:
    return {field: np.asarray(a) for field, a in maker(name, test)(jax.random.key(key)).items()}


@pytest.mark.parametrize("test", [False, True], ids=["training", "test"])
@pytest.mark.parametrize("name", CASES)
def test_answers_lengths_and_padding(name: str, test: bool) -> None:
    task, oracle, (shortest, longest, step) = CASES[name]
    if test:
        shortest, longest = longest + step, 21
    batch = made(name, test)
    assert batch["inputs"].shape == (BATCH, longest)
    if not test:
        assert task.spec.example["inputs"].shape == (longest,) and task.length == longest
    lengths, counts = np.unique(batch["lengths"], return_counts=True)
    np.testing.assert_array_equal(lengths, np.arange(shortest, longest + 1, step))
    expected = BATCH / len(lengths)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all(), counts
    for row, length, target in zip(batch["inputs"], batch["lengths"], batch["targets"], strict=True):
        assert target == oracle(row[:length].tolist())
        assert not row[length:].any(), "padding says nothing"


@pytest.mark.parametrize("name", CASES)
def test_tokens_are_uniform(name: str) -> None:
    task = CASES[name][0]
    batch = made(name, True)
    first = batch["inputs"][:, :9]  # no padding in here
    if "arithmetic" in task.name:
        modulus = task.spec.output_size
        groups = [(first[:, ::2], range(modulus)), (first[:, 1::2], range(modulus, modulus + 3))]
    else:
        groups = [(first, range(task.spec.vocabulary or 0))]
    for tokens, values in groups:
        shares = np.array([(tokens == value).mean() for value in values])
        assert shares.sum() == 1, "no other token"
        np.testing.assert_allclose(shares, 1 / len(values), atol=5 * np.sqrt(0.25 / tokens.size))


@pytest.mark.parametrize("build", [parity, modular_arithmetic, cycle_navigation])
def test_the_baseline_is_what_the_constant_answer_reaches(build: Callable[..., Task]) -> None:
    # Short strings, whose commonest answer stands out. A share of 20,000 is good to .0035.
    task = build(length=4, test_length=0)
    targets = task.data.make_test(jax.random.key(0), 20_000)["targets"]
    shares = np.bincount(targets, minlength=task.spec.output_size) / len(targets)
    answer = int(baseline_name(task).removesuffix(", on test").split()[-1])
    assert shares[answer] == pytest.approx(baseline(task), abs=0.015)
    assert shares.max() == pytest.approx(baseline(task), abs=0.015)
    assert baseline(task) > 1 / task.spec.output_size + 0.02 or task.name == "parity"
    assert baseline(build()) == pytest.approx(1 / task.spec.output_size, abs=1e-5), "the published lengths hide it"


def test_best_constant_by_hand() -> None:
    # A walk on 0 .. 3 by 0 or +1: after one step at 0 or 1, after two at 0, 1, 1, 2.
    following = (np.arange(4)[:, None] + [0, 1]) % 4
    share, answer = best_constant(np.array([0.5, 0.5, 0, 0]), following, np.array([0, 1, 0, 0]), [1, 2])
    assert answer == 0 and share == pytest.approx((0.5 + 0.5) / 2)
    share, answer = best_constant(np.array([0.5, 0.5, 0, 0]), following, np.arange(4), [2])
    assert answer == 1 and share == 0.5


def test_published_lengths_are_the_defaults() -> None:
    sets = parity(validation_size=50, test_size=300).data.load(DataDirs())
    assert sets["validation"]["inputs"].shape == (50, 40) and sets["validation"]["lengths"].max() <= 40
    assert sets["test"]["inputs"].shape == (300, 500) and sets["test"]["lengths"].min() > 40


@pytest.mark.parametrize("name", CASES)
def test_a_batch_is_a_function_of_the_key_alone(name: str) -> None:
    first, again, other = made(name, False), made(name, False), made(name, False, key=4)
    for field in first:
        np.testing.assert_array_equal(first[field], again[field])
        assert not np.array_equal(first[field], other[field])


def test_jit_changes_nothing() -> None:
    eager = CASES["arithmetic"][0].data.make(jax.random.key(3), BATCH)
    for field, a in made("arithmetic", False).items():
        np.testing.assert_array_equal(a, eager[field])


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (parity, {"length": 1}, "length=1 must be at least 2"),
        (modular_arithmetic, {"length": 2}, "length=2 must be at least 3"),
        (parity, {"length": 40, "test_length": 40}, "test_length=40 must be 0 (as in training) or at least 41"),
        (modular_arithmetic, {"length": 40, "test_length": 40}, "test_length=40 must be 0 (as in training) or at"),
        (modular_arithmetic, {"modulus": 1}, "modulus=1 must be from 2 to 20"),
        (cycle_navigation, {"cycle": 101}, "cycle=101 must be from 2 to 100"),
        (cycle_navigation, {"threshold": 1.1}, "threshold=1.1 must be above 0 and at most 1"),
        (parity, {"validation_size": 0}, "validation_size=0 must be at least 1"),
    ],
)
def test_mistakes(build: Callable[..., Task], options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build(**options)
