"""Where failed seeds rank, and metrics as scores."""

import math

import numpy as np
import pytest

from gru_research import stats

INF, NAN = math.inf, math.nan


def test_rank_worst():
    values = [0.5, None, NAN, INF, -INF]
    np.testing.assert_array_equal(stats.rank_worst(values, "min"), [0.5, INF, INF, INF, INF])
    np.testing.assert_array_equal(stats.rank_worst(values, "max"), [0.5, -INF, -INF, -INF, -INF])
    with pytest.raises(ValueError, match="direction='less'"):
        stats.rank_worst(values, "less")


def test_as_scores_puts_more_as_better_and_failed_seeds_last():
    values = [0.5, None, NAN, INF, -INF, 0.0]
    np.testing.assert_array_equal(stats.as_scores(values, "min"), [-0.5, -INF, -INF, -INF, -INF, 0])
    np.testing.assert_array_equal(stats.as_scores(values, "max"), [0.5, -INF, -INF, -INF, -INF, 0])
    with pytest.raises(ValueError, match="direction='up'"):
        stats.as_scores(values, "up")
