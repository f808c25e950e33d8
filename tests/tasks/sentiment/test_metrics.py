"""Losses, scores and groups of texts against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from gru_research.data import DataDirs
from gru_research.metrics import Additive, Collected
from gru_research.tasks import TASKS
from gru_research.tasks.sentiment import metrics, scores
from gru_research.tasks.sentiment.facts import Facts
from gru_research.tasks.sentiment.groups import BY_LENGTH, GROUPS, NEGATION

B, C, T = 40, 3, 35
WORDS = ("bad", "good", "n't", "never", "not", "x", "<unknown>")


def facts(several: bool) -> Facts:
    return Facts(WORDS, ("a", "b", "c"), several, T, 0, 0.3, [group.name for group in GROUPS], {})


def batch(several: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, T + 1, B).astype(np.int32)
    tokens = rng.choice([0, 1, 5, 6, 2, 3, 4], (B, T), p=[0.3, 0.3, 0.2, 0.17, 0.01, 0.01, 0.01]).astype(np.int32)
    targets = rng.integers(0, 2, (B, C)).astype(np.uint8) if several else rng.integers(0, C, B).astype(np.int32)
    return rng.normal(size=(B, C)).astype(np.float32), {"inputs": tokens, "lengths": lengths, "targets": targets}


def measured(several: bool) -> dict[str, float]:
    """Returns every metric of one batch."""
    outputs, examples = batch(several)
    arrays = {name: jnp.asarray(a) for name, a in examples.items()}
    found = {}
    for name, metric in metrics.metrics_of(facts(several)).items():
        parts = {part: np.asarray(a) for part, a in metric.statistics(jnp.asarray(outputs), arrays).items()}
        if isinstance(metric, Collected):
            found[name] = metric.score(parts)
        else:
            assert isinstance(metric, Additive)
            found[name] = float(metric.finish({part: a.astype(np.float64).sum() for part, a in parts.items()}))
    return found


def in_group(name: str, examples: dict[str, np.ndarray]) -> np.ndarray:
    texts = [row[:n] for row, n in zip(examples["inputs"].tolist(), examples["lengths"].tolist(), strict=True)]
    group = next(group for group in GROUPS if group.name == name)
    return np.array([group.has([WORDS[token] for token in text]) for text in texts])


def test_every_text_is_in_one_group_of_each_kind() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        text = rng.choice(["good", "n't", "film"], rng.integers(1, 60), p=[0.5, 0.02, 0.48]).tolist()
        for groups in (NEGATION, BY_LENGTH):
            assert sum(group.has(text) for group in groups) == 1
    assert [group.name for group in GROUPS if group.has(["never", "a", "bore"])] == ["negation", "words_1_to_10"]
    assert [group.has(["x"] * 30) for group in BY_LENGTH[-2:]] == [True, False]
    assert [group.has(["x"] * 31) for group in BY_LENGTH[-2:]] == [False, True]


def test_one_label() -> None:
    outputs, examples = batch(several=False)
    found, right = measured(several=False), outputs.argmax(1) == examples["targets"]
    assert found.pop("accuracy") == pytest.approx(right.mean())
    chosen, wanted = np.eye(C, dtype=bool)[outputs.argmax(1)], np.eye(C, dtype=bool)[examples["targets"]]
    own = scores.of_one_label(chosen, wanted)
    assert found.pop("macro_f1") == pytest.approx(own["macro_f1"])
    assert own["accuracy"] == pytest.approx(right.mean())
    for name, value in found.items():
        inside = in_group(name.removeprefix("accuracy_"), examples)
        assert 0 < inside.sum() < B and value == pytest.approx(right[inside].mean()), name
    assert len(found) == len(GROUPS)


def test_texts_out_of_scope_are_scored_apart(clinc_oos_data_dir: str) -> None:
    dirs = DataDirs(clinc_oos_data_dir)
    task = TASKS["sentiment"](dataset="clinc_oos", dirs=dirs)
    sets = task.data.load(dirs)
    names = task.vocabularies["targets"]
    outside = names.index("oos")
    assert len(names) == 151 and {split: len(one["targets"]) for split, one in sets.items()} == {
        "train": 15_100,
        "validation": 3_100,
        "test": 5_500,
    }
    wanted = sets["test"]["targets"]
    assert (wanted == outside).sum() == 1000
    answered = np.where(np.arange(5500) % 3 == 0, outside, wanted)
    batch = {"targets": jnp.asarray(wanted)}
    outputs = jnp.asarray(np.eye(151, dtype=np.float32)[answered])
    found = {}
    for name in ("in_scope_accuracy", "oos_recall"):
        parts = task.metrics[name].statistics(outputs, batch)
        found[name] = float(task.metrics[name].finish({k: np.asarray(a).sum() for k, a in parts.items()}))  # type: ignore
    within = wanted != outside
    assert found["oos_recall"] == 1
    assert found["in_scope_accuracy"] == pytest.approx((answered == wanted)[within].mean())
    own = scores.of_one_label(np.eye(151, dtype=bool)[answered], np.eye(151, dtype=bool)[wanted], outside)
    assert {name: own[name] for name in found} == pytest.approx(found)
    assert task.application is not None
    assert all(set(found) <= set(values) for values in task.application.trivial_metrics.values())


def f1(hits: float, wanted: float, answered: float) -> float:
    precision, recall = hits / answered, hits / wanted
    return 2 * precision * recall / (precision + recall)


def test_several_labels() -> None:
    outputs, examples = batch(several=True)
    found, wanted = measured(several=True), examples["targets"].astype(bool)
    answered = expit(outputs) >= 0.3
    assert answered.mean() > 0.6  # another threshold answers fewer
    each = [f1((answered & wanted)[:, c].sum(), wanted[:, c].sum(), answered[:, c].sum()) for c in range(C)]
    assert found.pop("macro_f1") == pytest.approx(np.mean(each))
    assert found.pop("exact_match") == pytest.approx((answered == wanted).all(1).mean())
    assert found.pop("micro_f1") == pytest.approx(f1((answered & wanted).sum(), wanted.sum(), answered.sum()))
    for name, value in found.items():
        inside = in_group(name.removeprefix("micro_f1_"), examples)
        a, w = answered[inside], wanted[inside]
        assert value == pytest.approx(f1((a & w).sum(), w.sum(), a.sum())), name


def test_a_label_that_is_neither_wanted_nor_answered_is_left_out() -> None:
    answered, wanted = np.array([[True, False], [False, False]]), np.array([[True, False], [True, False]])
    assert scores.f1(answered, wanted) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert np.isnan(scores.f1(answered[:, 1:], wanted[:, 1:])).all()


def test_the_loss_of_several_labels_is_the_sum_of_their_entropies() -> None:
    outputs, examples = batch(several=True)
    values, weights = metrics.label_loss(jnp.asarray(outputs), {"targets": jnp.asarray(examples["targets"])})
    shares = expit(outputs.astype(np.float64))
    expected = -np.where(examples["targets"], np.log(shares), np.log1p(-shares)).sum(1)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    np.testing.assert_array_equal(weights, 1)
    extreme, _ = metrics.label_loss(jnp.full((1, 2), 1e4), {"targets": jnp.array([[1, 1]], jnp.uint8)})
    assert float(extreme[0]) == 0


def test_figures_have_the_groups_that_are_there() -> None:
    few = Facts(WORDS, ("a", "b"), False, T, 0, 0.5, ["no_negation", "words_1_to_10", "words_11_to_15"], {})
    (figure,) = metrics.breakdowns_of(few).values()
    assert figure.groups == {"1-10": "accuracy_words_1_to_10", "11-15": "accuracy_words_11_to_15"}
    assert set(metrics.metrics_of(few)) == {"accuracy", "macro_f1", *figure.groups.values(), "accuracy_no_negation"}
    assert list(metrics.breakdowns_of(facts(several=True))) == ["negation", "words"]
