"""The characters task: targets, segments, and the metrics of trivial answers."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load
from gru_research.tasks.characters import CHARACTERS, as_tokens, characters
from gru_research.tasks.files.texts import segments
from tests.faults import fault, seen
from tests.tasks.measuring import baseline, measures


def test_the_vocabulary_is_what_occurs(tiny_shakespeare_manual_dir: str) -> None:
    text = Path(tiny_shakespeare_manual_dir, "input.txt").read_text("ascii")
    assert "".join(sorted(set(text))) == CHARACTERS
    assert characters().spec.vocabulary == characters().spec.output_size == len(CHARACTERS) == 65


def test_segments_lie_one_behind_the_other() -> None:
    text = np.frombuffer(b"The quick fox", np.uint8)
    assert [s.tobytes() for s in segments(text, 4)] == [b"The q", b"quick", b"k fox"]
    assert [s.tobytes() for s in segments(text, 5)] == [b"The qu", b"uick f"]
    assert [s.tobytes() for s in segments(text, 12)] == [b"The quick fox"]


@fault("tasks", "a text shorter than a segment", "a character outside the vocabulary")
def test_segments_name_what_is_wrong() -> None:
    with pytest.raises(UserError, match="length=13 must be at most 12: a split has 13 characters") as caught:
        segments(np.frombuffer(b"The quick fox", np.uint8), 13)
    seen(caught)
    with pytest.raises(UserError, match="the text holds '7', which isn't among the characters") as caught:
        as_tokens(np.frombuffer(b"The 7 foxes", np.uint8))
    seen(caught)


def test_each_character_is_followed_by_its_target(
    tiny_shakespeare_data_dir: str, tiny_shakespeare_manual_dir: str
) -> None:
    text = Path(tiny_shakespeare_manual_dir, "input.txt").read_text("ascii")
    task = characters(length=100)
    sets = task.data.load(DataDirs(tiny_shakespeare_data_dir))
    assert {split: a["text"].shape for split, a in sets.items()} == {
        "train": (10_038, 101),
        "validation": (557, 101),
        "test": (557, 101),
    }
    batch = jax.jit(task.prepare)({"text": jnp.asarray(sets["validation"]["text"][7:9])})
    assert batch["inputs"].dtype == batch["targets"].dtype == jnp.int32
    start = int(0.9 * len(text)) + 700
    for row in range(2):
        for name, first in (("inputs", start), ("targets", start + 1)):
            said = "".join(CHARACTERS[token] for token in batch[name][row])
            assert said == text[first + 100 * row : first + 100 * row + 100]


def test_bits_against_sums_in_plain_python() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (2, 3, 5))
    targets = [[0, 4, 2], [1, 1, 3]]
    got = measures(characters(), jnp.asarray(logits, jnp.float32), {"targets": jnp.asarray(targets)})
    for b in range(2):
        probabilities = [
            math.exp(logits[b, t, targets[b][t]]) / sum(math.exp(a) for a in logits[b, t]) for t in range(3)
        ]
        assert float(got["bits_per_character"][b]) == pytest.approx(-sum(map(math.log2, probabilities)) / 3, rel=1e-5)
        assert float(got["loss"][b]) == pytest.approx(-sum(map(math.log, probabilities)) / 3, rel=1e-5)


def test_baseline_is_what_frequencies_reach(tiny_shakespeare_data_dir: str) -> None:
    stored = load("tiny_shakespeare", DataDirs(tiny_shakespeare_data_dir))
    frequency = np.bincount(stored["train"]["text"], minlength=128) / len(stored["train"]["text"])
    bits = -np.log2(frequency[stored["test"]["text"]]).mean()
    assert bits == pytest.approx(baseline(characters()), abs=5e-5)


def test_options_out_of_range() -> None:
    with pytest.raises(ValueError, match="length=0 must be at least 1"):
        characters(length=0)
    with pytest.raises(ValueError, match="threshold=-1 must be above 0"):
        characters(threshold=-1)
    with pytest.raises(ValueError, match=r"test='a.txt' belongs to a text of your own: name it with train"):
        characters(test="a.txt")
