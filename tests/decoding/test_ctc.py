"""CTC decoders equal sums over all paths, by brute force."""

import itertools
from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.decoding.ctc import collapse, greedy_path, prefix_beam_search

STEPS, CLASSES = 5, 3


def merged(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(path) if label)


def best_transcript(logs: np.ndarray, bigram: np.ndarray) -> tuple[int, ...]:
    """The transcript with the largest sum over all paths, times the language model's probability."""
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(logs.shape[1]), repeat=len(logs)):
        sums[merged(path)] += float(np.exp(sum(logs[t, label] for t, label in enumerate(path))))
    return max(
        sums,
        key=lambda one: np.log(sums[one]) + sum(bigram[a, b] for a, b in itertools.pairwise((0, *one, 0))),
    )


def labels_of(tokens: np.ndarray, lengths: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(row[:length].tolist()) for row, length in zip(tokens, lengths, strict=True)]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_beam_search_finds_the_transcript_with_the_largest_sum_over_paths(weight: float) -> None:
    logits = 1.5 * jax.random.normal(jax.random.key(0), (64, STEPS, CLASSES))
    bigram = jax.nn.log_softmax(jax.random.normal(jax.random.key(1), (CLASSES, CLASSES)))
    lengths = jnp.asarray([STEPS, STEPS - 1, 2, 1] * 16)
    found = prefix_beam_search(logits, lengths, bigram, beams=32, weight=weight, longest=STEPS)
    logs = np.asarray(jax.nn.log_softmax(logits), np.float64)
    expected = [
        best_transcript(rows[:length], weight * np.asarray(bigram, np.float64))
        for rows, length in zip(logs, np.asarray(lengths), strict=True)
    ]
    assert labels_of(np.asarray(found.tokens), np.asarray(found.lengths)) == expected
    assert len(set(expected)) > 7


def test_beam_search_is_better_than_greedy_where_many_paths_agree() -> None:
    # The blank is most probable at both steps, .4 · .4 = .16, and paths with label 1 sum to .36.
    logits = jnp.log(jnp.asarray([[[0.4, 0.3, 0.3], [0.4, 0.3, 0.3]]])).at[0, :, 2].set(-30.0)
    uniform = jnp.zeros((CLASSES, CLASSES))
    assert int(greedy_path(logits, jnp.asarray([2])).lengths[0]) == 0
    found = prefix_beam_search(logits, jnp.asarray([2]), uniform, beams=4, longest=2)
    assert labels_of(np.asarray(found.tokens), np.asarray(found.lengths)) == [(1,)]


def test_a_transcript_is_at_most_as_long_as_asked() -> None:
    logits = 9 * jax.nn.one_hot(jnp.asarray([[1, 2, 1, 2, 1]]), CLASSES)
    found = prefix_beam_search(logits, jnp.asarray([5]), jnp.zeros((CLASSES, CLASSES)), beams=4, longest=3)
    assert found.tokens.shape == (1, 3) and int(found.lengths[0]) <= 3


def test_a_path_merges_equal_labels_and_leaves_blanks_out() -> None:
    path = jnp.asarray([[0, 1, 1, 0, 1, 2, 2, 0], [2, 2, 2, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 0]])
    found = collapse(path, jnp.asarray([8, 3, 8]))
    assert labels_of(np.asarray(found.tokens), np.asarray(found.lengths)) == [(1, 1, 2), (2,), ()]
    assert not np.asarray(found.tokens)[1, 1:].any()
