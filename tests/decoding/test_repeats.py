"""Tokens that would repeat a sequence, against a search through lists."""

import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.decoding.repeats import without_repeats


@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 9])
def test_the_tokens_that_are_excluded(size: int) -> None:
    vocabulary, longest = 3, 8
    tokens = np.random.default_rng(0).integers(0, vocabulary, (5, 20, longest)).astype(np.int32)
    logs = -np.arange(vocabulary, dtype=np.float32) * np.ones((5, 20, 1), np.float32)
    some = False
    for t in range(longest):
        found = np.asarray(without_repeats(jnp.asarray(logs), jnp.asarray(tokens), jnp.int32(t), size))
        expected = logs.copy()
        for i, j in np.ndindex(5, 20):
            before = tokens[i, j, :t].tolist()
            sequences = [before[s : s + size] for s in range(t - size + 1)] if size else []
            for token in range(vocabulary):
                if [*before, token][t + 1 - size :] in sequences:
                    expected[i, j, token] = -np.inf
        np.testing.assert_array_equal(found, expected)
        some |= bool(np.isinf(found).any())
    assert some == (0 < size < longest)
