"""The benchmark's score: equal to a plain reading of its definition, and to the stored score of a stored detector."""

import csv
import io
import json
import math
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gru_research.data import DataDirs
from gru_research.tasks.anomalies import trivial
from gru_research.tasks.anomalies.nab_score import PROFILES, Profile, Series, sweep
from gru_research.tasks.anomalies.series import of_nab


def plain_score(series: Sequence[Series], detected: Sequence[np.ndarray], profile: Profile) -> float:
    """Returns the score at one threshold, by the words of the paper: window by window, detection by detection."""

    def sigmoid(y: float) -> float:
        return -1.0 if y > 3 else 2 / (1 + math.exp(5 * y)) - 1

    total, count = 0.0, 0
    for one, hits in zip(series, detected, strict=True):
        for first, last in one.windows:
            count += 1
            found = [n for n in range(first, last + 1) if hits[n] and n >= one.learning]
            if found:
                total += max(sigmoid((n - last - 1) / (last - first + 1)) / sigmoid(-1) for n in found)
            else:
                total -= profile.false_negative
        for n in range(one.learning, one.length):
            if hits[n] and not any(first <= n <= last for first, last in one.windows):
                before = [(first, last) for first, last in one.windows if last < n]
                worth = sigmoid((n - before[-1][1]) / (before[-1][1] - before[-1][0])) if before else -1.0
                total += worth * profile.false_positive
    return 100 * (total + profile.false_negative * count) / (count + profile.false_negative * count)


STORED = {"standard": "standard", "low_fp": "reward_low_FP_rate", "low_fn": "reward_low_FN_rate"}
"""The benchmark's names of the profiles."""
SERIES = (Series(60, ((20, 25), (40, 43)), 9), Series(30, (), 4), Series(50, ((3, 8), (44, 49)), 7))


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_the_definitions_at_every_threshold(profile: str) -> None:
    rng = np.random.default_rng(0)
    scores = [rng.integers(0, 12, one.length) / 12 for one in SERIES]
    found = sweep(SERIES, scores, PROFILES[profile])
    assert found.thresholds[0] == np.inf and found.scores[0] == 0
    for threshold, score in zip(found.thresholds, found.scores, strict=True):
        detected = [one >= threshold for one in scores]
        assert score == pytest.approx(plain_score(SERIES, detected, PROFILES[profile]), abs=1e-10)
        assert found.at(float(threshold)) == score
    assert found.best[1] == found.scores.max() and found.at(found.best[0]) == found.best[1]


def test_the_start_of_each_window_alone_is_100() -> None:
    series = Series(100, ((30, 39), (60, 69)), 10)
    scores = np.zeros(100)
    scores[[30, 60]] = 1
    assert sweep([series], [scores], PROFILES["standard"]).at(1.0) == pytest.approx(100)


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="no series has a window: there is nothing to detect"):
        sweep([Series(5)], [np.zeros(5)], PROFILES["standard"])
    with pytest.raises(ValueError, match=r"anomaly_scores of shape \(4,\) must be 5 numbers"):
        sweep([Series(5, ((1, 2),))], [np.zeros(4)], PROFILES["standard"])
    with pytest.raises(ValueError, match=r"windows=\[\(1, 3\), \(3, 4\)\] must be in order, apart, and within the 9"):
        Series(9, ((1, 3), (3, 4)))


@pytest.fixture(scope="module")
def oracle() -> tarfile.TarFile:
    path = Path(__file__).resolve().parents[4] / "shared/data/nab_oracle/nab-results-windowedGaussian.tar.gz"
    if not path.is_file():
        if os.environ.get("REQUIRE_DATA") == "1":
            pytest.fail(f"REQUIRE_DATA=1, and {path} isn't there")
        pytest.skip(f"{path} isn't there")
    return tarfile.open(path)


def _read(oracle: tarfile.TarFile, name: str) -> str:
    file = oracle.extractfile(name)
    assert file is not None
    return file.read().decode()


@pytest.mark.processes
def test_a_stored_detector_has_its_stored_scores_and_ours_has_the_same(
    oracle: tarfile.TarFile, nab_data_dir: str
) -> None:
    wanted = json.loads(_read(oracle, "results/final_results.json"))["windowedGaussian"]
    series = of_nab(DataDirs(nab_data_dir))
    scored = [Series(len(one.values), one.windows or (), min(int(0.15 * len(one.values)), 750)) for one in series]
    stored = []
    for one in series:
        folder, _, name = one.name.partition("/")
        text = _read(oracle, f"results/windowedGaussian/{folder}/windowedGaussian_{name}.csv")
        stored.append(np.array([float(row["anomaly_score"]) for row in csv.DictReader(io.StringIO(text))]))
    for name, profile in STORED.items():
        assert sweep(scored, stored, PROFILES[name]).best[1] == pytest.approx(wanted[profile], abs=1e-8)
    assert round(sweep(scored, stored, PROFILES["standard"]).best[1], 4) == 39.6495
    ours = [trivial.windowed_gaussian(one.values) for one in series]
    for mine, theirs in zip(ours, stored, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
    assert round(sweep(scored, ours, PROFILES["standard"]).best[1], 4) == 39.6495
