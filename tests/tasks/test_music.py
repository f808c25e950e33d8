"""The music task: targets, pieces of sequences, and the likelihood of constant probabilities."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load
from gru_research.tasks.music import COLLECTIONS, music, note_likelihood, padded, pieces
from tests.faults import fault, seen


def packed(lengths: list[int], seed: int = 0) -> dict[str, np.ndarray]:
    """Returns random music in the stored format, without silent frames."""
    frames = np.random.default_rng(seed).integers(1, 256, (len(lengths), max(lengths), 11), np.uint8)
    frames[np.arange(max(lengths)) >= np.array(lengths)[:, None]] = 0
    return {"frames": frames, "length": np.array(lengths, np.int32)}


def test_whole_sequences_stand_behind_a_frame_of_zeros() -> None:
    stored = packed([5, 2])
    got = pieces(stored)
    assert got["length"].tolist() == [5, 2]
    np.testing.assert_array_equal(got["frames"][:, 1:], stored["frames"])
    assert not got["frames"][:, 0].any()


def test_pieces_are_equal_and_continue_one_frame() -> None:
    stored = packed([7, 3, 1, 6])
    got = pieces(stored, longest=3)
    assert got["length"].tolist() == [2, 2, 3, 3, 1, 3, 3]
    assert got["frames"].shape == (7, 4, 11)
    row = 0
    for n, parts in enumerate([3, 1, 1, 2]):
        before = np.zeros(11, np.uint8)
        joined = []
        for _ in range(parts):
            length = got["length"][row]
            np.testing.assert_array_equal(got["frames"][row, 0], before)
            assert not got["frames"][row, 1 + length :].any()
            joined.append(got["frames"][row, 1 : 1 + length])
            before = got["frames"][row, length]
            row += 1
        np.testing.assert_array_equal(np.concatenate(joined), stored["frames"][n, : stored["length"][n]])


@fault("tasks", "a sequence longer than the padding")
def test_padding_that_is_too_short_is_one_line() -> None:
    with pytest.raises(UserError, match=r"a sequence of 5 frames is longer than the padding, 4$") as caught:
        padded(pieces(packed([5, 2])), 5)
    seen(caught)


@pytest.mark.parametrize("dataset", COLLECTIONS)
def test_every_training_frame_is_predicted_once(dataset: str, music_data_dir: str) -> None:
    task = music(dataset)  # pyright: ignore[reportArgumentType]
    dirs = DataDirs(music_data_dir)
    stored, sets = load(f"music_{dataset}", dirs), task.data.load(dirs)
    for split, arrays in sets.items():
        assert arrays["length"].sum() == stored[split]["length"].sum()
    assert sets["train"]["frames"].shape[1] == task.spec.example["inputs"].shape[0] + 1 == task.length + 1
    for split in ("validation", "test"):
        np.testing.assert_array_equal(sets[split]["length"], stored[split]["length"])
    if COLLECTIONS[dataset].segment == 0:
        assert stored["train"]["length"].max() == task.length
        np.testing.assert_array_equal(sets["train"]["frames"][:, 1:], stored["train"]["frames"])


def test_a_frame_is_predicted_from_those_before_it(music_data_dir: str) -> None:
    task, dirs = music("jsb"), DataDirs(music_data_dir)
    stored, sets = load("music_jsb", dirs)["test"], task.data.load(dirs)
    batch = jax.jit(task.prepare)({name: jnp.asarray(a[:3]) for name, a in sets["test"].items()})
    keys = np.unpackbits(stored["frames"][:3], axis=-1)
    assert batch["inputs"].dtype == jnp.float32
    np.testing.assert_array_equal(batch["targets"], keys)
    np.testing.assert_array_equal(batch["inputs"][:, 1:], keys[:, :-1])
    assert not np.asarray(batch["inputs"][:, 0]).any()
    np.testing.assert_array_equal(batch["lengths"], stored["length"][:3])


def test_likelihood_against_sums_in_plain_python() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (2, 3, 88))
    targets = generator.integers(0, 2, (2, 3, 88))
    lengths = [3, 2]
    want = []
    for b, length in enumerate(lengths):
        total = 0.0
        for t in range(length):
            for k in range(88):
                p = 1 / (1 + math.exp(-logits[b, t, k]))
                total -= math.log(p if targets[b, t, k] else 1 - p)
        want.append(total / length)
    logits[1, 2] = np.nan  # padding
    batch = {"targets": jnp.asarray(targets, jnp.uint8), "lengths": jnp.asarray(lengths, jnp.int32)}
    got = note_likelihood(jnp.asarray(logits, jnp.float32), batch)
    np.testing.assert_allclose(got[0], want, rtol=1e-5)
    np.testing.assert_array_equal(got[1], lengths)
    extreme = note_likelihood(jnp.full((1, 1, 88), 1e4), {"targets": jnp.ones((1, 1, 88)), "lengths": jnp.ones(1)})
    assert extreme[0].tolist() == [0]


@pytest.mark.parametrize("dataset", COLLECTIONS)
def test_baseline_is_what_constant_probabilities_reach(dataset: str, music_data_dir: str) -> None:
    stored = load(f"music_{dataset}", DataDirs(music_data_dir))

    def frames(split: str) -> np.ndarray:
        keys = np.unpackbits(stored[split]["frames"], axis=-1)
        return keys[np.arange(keys.shape[1]) < stored[split]["length"][:, None]]

    train, test = frames("train"), frames("test")
    p = (train.sum(0) + 1) / (len(train) + 2)
    # The mean over frames of a sum that is linear in the frame is that sum of the mean frame.
    on = test.mean(0)
    assert -np.sum(on * np.log(p) + (1 - on) * np.log1p(-p)) == pytest.approx(COLLECTIONS[dataset].baseline, abs=5e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"segment": -1}, r"segment=-1 must be 0 \(whole sequences\) or more"),
        ({"threshold": 0.0}, "threshold=0.0 must be above 0"),
    ],
)
def test_options_out_of_range(options: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        music(**options)


def test_defaults_and_options() -> None:
    assert [music(name).length for name in COLLECTIONS] == [129, 1788, 200, 200]  # pyright: ignore
    assert music("piano_midi", segment=0).length == 3857
    assert music("jsb", segment=50).length == 50 and music("jsb", segment=500).length == 129
    assert music("jsb", segment=50).spec.example["inputs"].shape == (50, 88)
    assert (music("nottingham").threshold, music("nottingham", threshold=4.0).threshold) == (3.13, 4.0)
