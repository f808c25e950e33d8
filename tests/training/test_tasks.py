"""Tasks: inputs, targets, and the metrics of trivial answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.data import DataDirs
from gru_research.tasks import TASKS
from tests.tasks.measuring import baseline, measures


def test_adding_marks_one_step_in_each_half_and_sums_the_marked_numbers() -> None:
    task = TASKS["adding"](length=11)
    batch = task.data.make(jax.random.key(3), 500)
    numbers, markers = np.asarray(batch["inputs"][..., 0]), np.asarray(batch["inputs"][..., 1])
    assert batch["inputs"].shape == (500, 11, 2) and batch["targets"].shape == (500, 1)
    assert set(np.unique(markers)) == {0, 1}
    assert (markers[:, :5].sum(1) == 1).all() and (markers[:, 5:].sum(1) == 1).all()
    assert (markers.sum(0) > 0).all(), "every step is marked in some example"
    np.testing.assert_allclose((numbers * markers).sum(1, keepdims=True), batch["targets"], rtol=1e-6)
    assert numbers.min() >= 0 and numbers.max() < 1


def test_adding_baseline_is_what_always_answering_1_reaches() -> None:
    task = TASKS["adding"](length=10, test_size=20_000)
    test = task.data.load(DataDirs())["test"]
    error = measures(task, jnp.ones_like(test["targets"]), test)["mse"]
    # The variance of the squared error is 7/180 - 1/36 = .011, so the mean of 20,000 is good to .0008.
    assert float(error.mean()) == pytest.approx(baseline(task), abs=0.003)


def test_generated_sets_are_fixed_and_apart() -> None:
    task = TASKS["adding"](length=10, validation_size=50, test_size=50)
    first, again = task.data.load(DataDirs()), task.data.load(DataDirs())
    for split in ("validation", "test"):
        np.testing.assert_array_equal(first[split]["inputs"], again[split]["inputs"])
    assert not np.array_equal(first["validation"]["inputs"], first["test"]["inputs"])


def test_smnist_orders_are_the_same_image(mnist_data_dir: str) -> None:
    tasks = {order: TASKS["smnist"](order=order) for order in ("rows", "pixels", "permuted")}
    sets = tasks["rows"].data.load(DataDirs(data_dir=mnist_data_dir))
    assert {split: len(a["label"]) for split, a in sets.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    batch = {name: jnp.asarray(a[:7]) for name, a in sets["test"].items()}
    image = np.asarray(batch["image"], np.float32) / 255
    made = {order: task.prepare(batch) for order, task in tasks.items()}
    np.testing.assert_allclose(made["rows"]["inputs"], image, rtol=1e-6)
    np.testing.assert_allclose(made["pixels"]["inputs"], image.reshape(7, 784, 1), rtol=1e-6)
    shuffled = image.reshape(7, 784)[:, np.random.RandomState(92916).permutation(784)]
    np.testing.assert_allclose(made["permuted"]["inputs"][..., 0], shuffled, rtol=1e-6)
    pooled = TASKS["smnist"](order="pixels", pool=2)
    for order, task in (tasks | {"pooled": pooled}).items():
        made.setdefault(order, task.prepare(batch))
        assert made[order]["inputs"].shape[1:] == task.spec.example["inputs"].shape
        np.testing.assert_array_equal(made[order]["targets"], batch["label"])
    np.testing.assert_allclose(made["pooled"]["inputs"][:, 14 + 1, 0], image[:, 2:4, 2:4].mean((1, 2)), rtol=1e-5)


def test_the_validation_set_is_the_end_of_the_training_images(mnist_data_dir: str) -> None:
    from gru_research.data import load

    stored = load("mnist", DataDirs(data_dir=mnist_data_dir))["train"]
    sets = TASKS["smnist"]().data.load(DataDirs(data_dir=mnist_data_dir))
    np.testing.assert_array_equal(sets["validation"]["image"], stored["image"][55_000:])
    np.testing.assert_array_equal(sets["train"]["label"], stored["label"][:55_000])


def test_smnist_baseline_is_the_most_frequent_test_digit(mnist_data_dir: str) -> None:
    labels = TASKS["smnist"]().data.load(DataDirs(data_dir=mnist_data_dir))["test"]["label"]
    assert np.bincount(labels).max() / len(labels) == baseline(TASKS["smnist"]())
    assert np.bincount(labels).argmax() == 1


def test_classification_against_numbers_worked_out_by_hand() -> None:
    logits = jnp.log(jnp.array([[0.2, 0.8], [0.9, 0.1]]))
    measured = measures(TASKS["smnist"](), logits, {"targets": jnp.array([1, 1])})
    np.testing.assert_allclose(measured["loss"], [-np.log(0.8), -np.log(0.1)], rtol=1e-6)
    np.testing.assert_array_equal(measured["accuracy"], [1, 0])
