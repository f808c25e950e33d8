"""Word problems: products against permutations composed in a loop, group laws, scored steps, baselines."""

import functools
import itertools
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.tasks.word_problem import GENERATORS, multiplication_table, word_problem
from tests.tasks.measuring import baseline, measures

BATCH = 500
LENGTH, TEST_LENGTH = 7, 12


def even(p: tuple[int, ...]) -> bool:
    return sum(a > b for a, b in itertools.combinations(p, 2)) % 2 == 0


def rotated(n: int, by: int) -> tuple[int, ...]:
    return tuple((i + by) % n for i in range(n))


# Every group written down without its generators.
ELEMENTS = {
    "s5": list(itertools.permutations(range(5))),
    "a5": [p for p in itertools.permutations(range(5)) if even(p)],
    "a4xz5": [
        (*p, *(4 + i for i in rotated(5, by)))
        for p in itertools.permutations(range(4))
        if even(p)
        for by in (0, 1, 2, 3, 4)
    ],
    "z60": [rotated(60, by) for by in range(60)],
}


@functools.cache
def maker(group: str, tokens: str, test: bool) -> Callable[[jax.Array], dict[str, jax.Array]]:
    data = word_problem(group, tokens, LENGTH, TEST_LENGTH).data  # pyright: ignore[reportArgumentType]
    return jax.jit(lambda key: (data.make_test if test else data.make)(key, BATCH))


def made(group: str, tokens: str, test: bool, key: int = 3) -> dict[str, np.ndarray]:
    return {field: np.asarray(a) for field, a in maker(group, tokens, test)(jax.random.key(key)).items()}


@pytest.mark.parametrize("group", GENERATORS)
def test_the_elements_are_the_groups(group: str) -> None:
    elements, products = multiplication_table(GENERATORS[group])
    assert elements == sorted(ELEMENTS[group])
    order = len(elements)
    assert order == (120 if group == "s5" else 60) and products.shape == (order, order)
    for axis in (0, 1):
        np.testing.assert_array_equal(np.sort(products, axis), np.sort(np.indices(products.shape)[axis], axis))
    np.testing.assert_array_equal(products[0], np.arange(order), "0 is the identity")
    assert (products == products.T).all() == (group == "z60")
    for (p, q), product in zip(itertools.product(elements, elements), products.ravel(), strict=True):
        assert elements[product] == tuple(p[i] for i in q)


@pytest.mark.parametrize(
    ("group", "tokens", "test"),
    [("s5", "elements", False), ("a5", "generators", True), ("z60", "elements", True)],
)
def test_targets_are_the_products_of_prefixes(group: str, tokens: str, test: bool) -> None:
    batch = made(group, tokens, test)
    elements = sorted(ELEMENTS[group])
    used = elements if tokens == "elements" else [elements[0], *GENERATORS[group]]
    assert batch["inputs"].shape == batch["targets"].shape == (BATCH, TEST_LENGTH if test else LENGTH)
    assert set(np.unique(batch["inputs"])) == set(range(len(used)))
    for tokens_T, targets_T in zip(batch["inputs"], batch["targets"], strict=True):
        product = elements[0]
        for token, target in zip(tokens_T, targets_T, strict=True):
            product = tuple(product[used[token][i]] for i in range(len(product)))
            assert elements[target] == product


def test_z60_adds_modulo_60() -> None:
    batch = made("z60", "elements", True)
    np.testing.assert_array_equal(batch["targets"], batch["inputs"].cumsum(1) % 60)


def test_in_the_test_set_only_longer_prefixes_are_scored() -> None:
    training, test = made("s5", "elements", False), made("z60", "elements", True)
    assert training["scored"].all()
    np.testing.assert_array_equal(test["scored"], np.tile(np.arange(1, TEST_LENGTH + 1) > LENGTH, (BATCH, 1)))
    again = word_problem("z60", length=LENGTH, test_length=0).data
    assert again.make_test is not None
    assert jax.eval_shape(lambda key: again.make_test(key, 3), jax.random.key(0))["inputs"].shape == (3, LENGTH)


def test_the_measure_against_numbers_worked_out_by_hand() -> None:
    task = word_problem("z60", length=2, test_length=4)
    logits = jnp.zeros((1, 4, 60)).at[0, jnp.arange(4), jnp.array([5, 6, 7, 8])].set(3.0)
    batch = {"targets": jnp.array([[5, 0, 7, 9]]), "scored": jnp.array([[False, False, True, True]])}
    measured = measures(task, logits, batch)
    total = np.log(59 + np.exp(3))
    np.testing.assert_allclose(measured["loss"], [total - 3 / 2], rtol=1e-6)
    np.testing.assert_array_equal(measured["accuracy"], [0.5])


@pytest.mark.parametrize("group", GENERATORS)
def test_tokens_are_uniform_and_so_are_products(group: str) -> None:
    task = word_problem(group, test_length=0)  # pyright: ignore[reportArgumentType]
    order = task.spec.output_size
    assert baseline(task) == pytest.approx(1 / order, rel=1e-9) and task.spec.vocabulary == order
    if group == "s5":  # one group for the compiling
        batch = made("s5", "elements", False)
        for tokens in (batch["inputs"], batch["targets"]):
            counts = np.bincount(tokens.ravel(), minlength=order)
            expected = tokens.size / order
            assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_the_baseline_with_generators_is_what_the_constant_answer_reaches() -> None:
    # Few steps from the identity, few elements are reached, so that the commonest stands out.
    task = word_problem("a5", "generators", length=LENGTH, test_length=TEST_LENGTH)
    early = word_problem("a5", "generators", length=3, test_length=0)
    shares = np.bincount(made("a5", "generators", True)["targets"][:, :3].ravel(), minlength=60) / (3 * BATCH)
    # Steps of a sequence depend on each other; were they one, a share of 500 would be good to .02.
    assert shares.max() == pytest.approx(baseline(early), abs=0.07)
    # A generator g: of the words of 1, 2 and 3 tokens, those that are g and identities.
    assert baseline(early) == pytest.approx(np.mean([1 / 4, 2 / 16, 3 / 64]), abs=1e-9)
    assert 1 / 60 <= baseline(task) < 0.025


def test_a_batch_is_a_function_of_the_key_alone_and_jit_changes_nothing() -> None:
    first, again, other = (made("s5", "elements", False, key) for key in (3, 3, 4))
    eager = word_problem("s5", length=LENGTH, test_length=TEST_LENGTH).data.make(jax.random.key(3), BATCH)
    for field in ("inputs", "targets"):
        np.testing.assert_array_equal(first[field], again[field])
        np.testing.assert_array_equal(first[field], eager[field])
        assert not np.array_equal(first[field], other[field])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "s4"}, "group='s4' is unknown; did you mean 's5'?; choose from s5, a5, a4xz5, z60"),
        ({"tokens": "all"}, "tokens='all' is unknown; choose from elements, generators"),
        ({"length": 1}, "length=1 must be at least 2"),
        ({"length": 30, "test_length": 30}, "test_length=30 must be 0 (as in training) or at least 31"),
        ({"threshold": 0.0}, "threshold=0.0 must be above 0 and at most 1"),
        ({"test_size": 0}, "test_size=0 must be at least 1"),
    ],
)
def test_mistakes(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        word_problem(**options)  # pyright: ignore[reportArgumentType]
