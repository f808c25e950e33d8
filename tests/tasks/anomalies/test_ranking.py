"""Metrics of rankings against their definitions, computed pair by pair and threshold by threshold."""

import numpy as np
import pytest

from gru_research.tasks.anomalies import ranking, surprise, trivial

RNG = np.random.default_rng(0)
LABELS = np.zeros(90, bool)
LABELS[[*range(10, 15), *range(40, 47), 88, 89]] = True
SCORES = [RNG.random(90), RNG.integers(0, 6, 90) / 5.0]


@pytest.mark.parametrize("scores", SCORES, ids=["distinct", "ties"])
def test_auroc_is_the_share_of_pairs_in_order(scores: np.ndarray) -> None:
    pairs = [np.sign(a - b) for a in scores[LABELS] for b in scores[~LABELS]]
    assert ranking.auroc(scores, LABELS) == pytest.approx((np.mean(pairs) + 1) / 2)


@pytest.mark.parametrize("scores", SCORES, ids=["distinct", "ties"])
def test_auprc_is_the_precision_where_recall_is_gained(scores: np.ndarray) -> None:
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        detected = scores >= threshold
        gained = (detected & LABELS).sum() / LABELS.sum()
        total += (gained - recall) * (detected & LABELS).sum() / detected.sum()
        recall = gained
    assert ranking.auprc(scores, LABELS) == pytest.approx(total)


def plain_vus_pr(scores: np.ndarray, labels: np.ndarray, buffer: int) -> float:
    """As in `RangeAUC_volume_opt` of the authors' code, threshold by threshold."""
    runs, areas = [(10, 14), (40, 46), (88, 89)], []
    for steps in range(buffer + 1):
        near = np.zeros(len(scores))
        for first, last in runs:
            for n in range(len(scores)):
                distance = max(first - n, n - last)
                if 0 < distance <= steps // 2:
                    near[n] += np.sqrt(1 - distance / steps)
        near = np.where(labels, 0, np.minimum(near, 1))
        area, before = 0.0, 0.0
        for place in np.linspace(0, len(scores) - 1, 250).astype(int):
            detected = scores >= np.sort(scores)[::-1][place]
            hits = (detected & labels).sum() + near[detected].sum()
            positives = labels.sum() + near[detected].sum() / 2
            reach = steps // 2
            existing = np.mean([detected[max(a - reach, 0) : b + reach + 1].any() for a, b in runs])
            recall = min(hits / positives, 1) * existing
            area += (recall - before) * hits / detected.sum()
            before = recall
        areas.append(area)
    return float(np.mean(areas))


@pytest.mark.parametrize("scores", SCORES, ids=["distinct", "ties"])
def test_vus_pr_is_the_mean_area_over_buffers(scores: np.ndarray) -> None:
    assert ranking.vus_pr(scores, LABELS, 12) == pytest.approx(plain_vus_pr(scores, LABELS, 12))


def test_a_perfect_ranking_and_one_without_anomalies() -> None:
    assert ranking.auroc(LABELS.astype(float), LABELS) == ranking.auprc(LABELS.astype(float), LABELS) == 1
    for metric in (ranking.auroc, ranking.auprc, lambda s, y: ranking.vus_pr(s, y, 5)):
        assert np.isnan(metric(SCORES[0], np.zeros(90, bool)))


def test_surprise_counts_the_digits_of_the_tail() -> None:
    np.testing.assert_allclose(surprise.surprise(np.array([0.0, 1.959964, 4.417173])), [0, 1.30103, 5], rtol=1e-6)
    assert np.isfinite(surprise.surprise(np.array([1e4])))[0]


@pytest.mark.parametrize("quiet", [0, 1, 2, 3, 7, 50, 400])
def test_an_alarm_exceeds_all_points_shortly_before(quiet: int) -> None:
    scores = RNG.random(300)
    wanted = [s if not quiet or n == 0 or s > scores[max(0, n - quiet) : n].max() else 0 for n, s in enumerate(scores)]
    np.testing.assert_array_equal(surprise.alarms(scores, quiet), wanted)


def test_sizes_are_errors_in_deviations_of_the_errors_before() -> None:
    errors = RNG.normal(size=(2, 9)).astype(np.float32)
    real = np.array([[True] * 9, [True] * 5 + [False] * 4])
    found = np.asarray(surprise.standardised(errors, real, 0.1))
    for b, t in np.ndindex(2, 9):
        before = errors[b, :t][real[b, :t]]
        deviation = max(float(np.sqrt(np.mean(np.square(before)))) if len(before) else 0.0, 0.1)
        assert found[b, t] == pytest.approx(abs(errors[b, t]) / deviation * real[b, t], rel=1e-5)


def test_the_nearest_neighbour_is_among_the_points_for_learning() -> None:
    values = RNG.normal(size=100)
    found = trivial.nearest_neighbour(values, 40)
    assert (found[:40] == 0).all()
    for n in (40, 41, 99):
        mine = values[n - 15 : n + 1]
        nearest = min(np.linalg.norm(mine - values[k : k + 16]) for k in range(40 - 15))
        assert found[n] == pytest.approx(nearest)
