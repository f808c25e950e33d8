"""`Task.encode` of a user's inputs and `Task.decode` of outputs."""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.data import DataDirs
from gru_research.data.scan import COMMANDS
from gru_research.spec import Generation, Spec
from gru_research.tasks import TASKS, Generated, Stored, Task
from gru_research.tasks.base import alike, class_loss, squared_error
from gru_research.tasks.input_encoders import Image, Tokens, Vectors
from gru_research.tasks.listops import TOKENS
from gru_research.tasks.output_decoders import Classes, Numbers, Words
from gru_research.tasks.scan import END
from tests.faults import fault, seen

f32 = functools.partial(np.asarray, dtype=np.float32)
SIZES = {"validation_size": 3, "test_size": 3}
OPTIONS: dict[str, dict[str, Any]] = {
    "adding": {"length": 6},
    "multiplication": {"length": 6},
    "copy_memory": {"length": 5, "symbols": 3, "categories": 4},
    "selective_copy": {"length": 6, "symbols": 2, "recall": "steps"},
    "temporal_order": {"length": 22},
    "associative_recall": {"pairs": 2, "queries": 2, "length": 12, "vocabulary": 16},
    "noisy_padded": {"length": 9, "signal": 2, "features": 3},
    "parity": {"length": 8, "test_length": 12},
    "modular_arithmetic": {"length": 7, "test_length": 11, "modulus": 12},
    "cycle_navigation": {"length": 8, "test_length": 12},
    "word_problem": {"length": 4, "test_length": 7},
    "listops": {"length": 20},
}


def text_of(words: str | tuple[str, ...], joint: str = " ") -> Callable[[Mapping[str, np.ndarray]], str]:
    """Returns a function that writes an example's real tokens as a user would."""
    return lambda example: joint.join(words[token] for token in real(example))


def real(example: Mapping[str, np.ndarray]) -> Any:
    return example["inputs"][: example.get("lengths", len(example["inputs"]))]


def numbers(example: Mapping[str, np.ndarray]) -> str:
    return " ".join(map(str, real(example)))


RAW: dict[str, Callable[[Mapping[str, np.ndarray]], Any]] = {
    "adding": lambda example: "; ".join(" ".join(map(str, step)) for step in example["inputs"]),
    "multiplication": real,
    "copy_memory": lambda example: " ".join(map(str, example["targets"][-3:])),
    "selective_copy": lambda example: " ".join(map(str, example["inputs"][:6])),
    "temporal_order": text_of("EBabcdXY", ""),
    "associative_recall": lambda example: " ".join(map(str, np.trim_zeros(example["inputs"], "b"))),
    "noisy_padded": real,
    "parity": text_of("01", ""),
    "modular_arithmetic": text_of((*map(str, range(12)), *"+-*"), ""),
    "cycle_navigation": text_of("-0+", " "),
    "word_problem": numbers,
    "listops": lambda example: text_of(TOKENS)(example).replace(" ]", "]"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_a_person_writes_is_encoded_as_the_data_are(name: str) -> None:
    task = TASKS[name](**OPTIONS[name], **SIZES)
    sets = task.data.load(DataDirs())
    for split, n in itertools.product(("validation", "test"), range(3)):
        example = {field: np.asarray(a[n]) for field, a in sets[split].items()}
        encoded = task.encode(RAW[name](example))
        assert set(encoded) == {"inputs", "lengths"} & set(example)
        np.testing.assert_array_equal(encoded["inputs"], real(example))
        assert encoded["inputs"].dtype == example["inputs"].dtype
        assert encoded.get("lengths") == example.get("lengths")
        # The model's own arrays are read too.
        np.testing.assert_array_equal(task.encode({"inputs": real(example)})["inputs"], real(example))


def one_hot(size: int, *numbers: int) -> np.ndarray:
    """Returns logits that are largest at these classes: one row, or one row per step."""
    logits = np.log(np.where(np.eye(size)[list(numbers)], 0.75, 0.25 / (size - 1)))
    return logits[0] if len(numbers) == 1 else logits


DECODED: dict[str, tuple[np.ndarray, Any]] = {
    "adding": (f32([1.25]), 1.25),
    "multiplication": (f32([0.1]), 0.1),
    "copy_memory": (one_hot(6, 4, 4, 3, 1, 2), {"classes": [3, 1, 2], "probabilities": [0.75] * 3}),
    "selective_copy": (one_hot(8, 0, 0, 4, 2), {"classes": [5, 3], "probabilities": [0.75] * 2}),
    "temporal_order": (one_hot(4, 2), "YX"),
    "associative_recall": (one_hot(8, 0, 5), {"classes": [8, 13], "probabilities": [0.75] * 2}),
    "noisy_padded": (one_hot(10, 7), 7),
    "parity": (one_hot(2, 1), "odd"),
    "modular_arithmetic": (one_hot(12, 11), 11),
    "cycle_navigation": (one_hot(5, 3), 3),
    "word_problem": (one_hot(60, 59, 0), {"classes": [59, 0], "probabilities": [0.75] * 2}),
    "listops": (one_hot(10, 9), 9),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_output_reads_as_a_person_says_it(name: str) -> None:
    output, wanted = DECODED[name]
    answer = TASKS[name](**OPTIONS[name], **SIZES).decode(output)
    if isinstance(answer, dict) and "class" in answer:
        assert answer["class"] == wanted and answer["probability"] == 0.75
        assert next(iter(answer["probabilities"].items())) == (str(wanted), 0.75)
        assert len(answer["probabilities"]) == min(10, len(output))
    else:
        assert answer == wanted


def test_symbols_recalled_at_the_end_are_one_row_of_logits() -> None:
    task = TASKS["selective_copy"](length=6, symbols=2, **SIZES)
    assert task.decode(one_hot(8, 4, 2).ravel())["classes"] == [5, 3]
    with pytest.raises(ValueError, match=r"^the input has 7 tokens and must have 6$"):
        task.encode("0 1 2 0 0 0 1")


@pytest.fixture(scope="module")
def digits() -> dict[str, np.ndarray]:
    pixels = np.random.RandomState(0).randint(0, 256, (2, 28, 28))
    return {"image": pixels.astype(np.uint8), "label": np.array([3, 4], np.int32)}


@pytest.mark.parametrize("options", [{"order": "rows"}, {"order": "permuted"}, {"pool": 2}])
def test_an_image_is_encoded_as_the_data_are(options: dict[str, Any], digits: dict[str, np.ndarray]) -> None:
    task = TASKS["smnist"](**options)
    inputs = np.asarray(task.prepare({name: jnp.asarray(a) for name, a in digits.items()})["inputs"])
    image = digits["image"][1]
    for raw in (image, image.ravel(), image.astype(float), image / 255, image.tolist()):
        np.testing.assert_allclose(task.encode(raw)["inputs"], inputs[1], atol=1e-7)
    assert task.decode(one_hot(10, 3))["class"] == 3


def test_music_is_frames_and_the_keys_that_come_next() -> None:
    task = TASKS["music"]()
    frames = np.zeros((1, 4, 88), np.uint8)
    for frame, keys in enumerate(([60, 64], [], [21, 108])):
        frames[0, 1 + frame, np.array(keys, int) - 21] = 1
    stored = {"frames": jnp.asarray(np.packbits(frames, axis=-1)), "length": jnp.array([3])}
    batch = {name: np.asarray(a) for name, a in task.prepare(stored).items()}
    # The last frame is a target and no input.
    for raw in ("60+64 -", frames[0, 1:3], {"inputs": frames[0, 1:3]}):
        encoded = task.encode(raw)
        np.testing.assert_array_equal(encoded["inputs"], batch["inputs"][0])
        assert encoded["lengths"] == batch["lengths"][0]
    logits = np.full((3, 88), -np.log(3))
    logits[0, 60 - 21] = logits[2, 0] = np.log(3)
    assert task.decode(logits) == {"keys": [[60], [], [21]], "probabilities": [[0.75], [], [0.75]]}
    form: Any = task.decode
    np.testing.assert_allclose(form.mean([logits, -logits]), 0, atol=1e-6)


class Answers(NamedTuple):
    """The fields of `decoding.Answers` that are read."""

    tokens: Any


def test_scan_is_a_text_and_a_text() -> None:
    task = TASKS["scan"]()
    encoded = task.encode("walk twice and jump left")
    assert [COMMANDS[token] for token in encoded["inputs"][: encoded["lengths"]]] == "walk twice and jump left".split()
    assert task.decode(Answers(np.array([5, 5, 0, END, END]))) == "I_WALK I_WALK I_JUMP"


def plain_task(spec: Spec, loss: Any = class_loss, make: Any = None, **fields: Any) -> Task:
    data = Generated(make, 3, 3) if make else Stored("none", lambda splits: splits, lambda batch: batch)
    return Task("own", data, spec, loss, {}, "loss", **fields)


def inputs_of(shape: tuple[int, ...], dtype: Any = jnp.float32) -> dict[str, jax.ShapeDtypeStruct]:
    return {"inputs": jax.ShapeDtypeStruct(shape, dtype)}


def test_a_task_without_forms_gets_those_of_its_spec() -> None:
    words = ("no", "yes")
    named = plain_task(Spec(inputs_of((3,), jnp.int32), 2, "last", 2), vocabularies={"inputs": words, "targets": words})
    np.testing.assert_array_equal(named.encode("yes no yes")["inputs"], [1, 0, 1])
    assert named.decode(one_hot(2, 1))["class"] == "yes"
    tokens = plain_task(Spec(inputs_of((3,), jnp.int32), 4, "last", 9))
    np.testing.assert_array_equal(tokens.encode("8 0 1")["inputs"], [8, 0, 1])
    series = plain_task(Spec(inputs_of((2, 1)), 1, "every"), squared_error)
    for raw in ("0.5 -1", "0.5; -1", [0.5, -1], np.array([[0.5], [-1]])):
        np.testing.assert_array_equal(series.encode(raw)["inputs"], f32([[0.5], [-1]]))
    assert series.decode(f32([[0.1], [2]])) == [0.1, 2.0]
    several = plain_task(Spec(inputs_of((2, 3)), 2, "last"), squared_error)
    assert several.decode(f32([0.1, np.nan])) == [0.1, None]
    generation = Generation(begin=3, end=2, longest=5)
    example = inputs_of((3, 1)) | {"targets": jax.ShapeDtypeStruct((4,), jnp.int32)}
    generated = plain_task(Spec(example, 4, "generated", generation=generation))
    assert generated.decode(Answers(np.array([1, 0, 2, 2]))) == [1, 0]
    # One that is copied with another spec reads what that says.
    wider = dataclasses.replace(several, spec=Spec(inputs_of((2, 4)), 2, "last"))
    assert wider.encode(np.ones((2, 4)))["inputs"].shape == (2, 4)


def test_what_a_generated_batch_holds_beside_its_inputs_is_encoded_too() -> None:
    def make(key: Any, size: int) -> dict[str, Any]:
        return {
            "inputs": jnp.zeros((size, 4, 2)),
            "lengths": jnp.full((size,), 4),
            "resets": jnp.zeros((size, 4), bool),
            "targets": jnp.zeros((size,), jnp.int32),
        }

    task = plain_task(Spec(inputs_of((4, 2)), 3, "last"), lambda outputs, batch: alike(outputs[:, 0]), make)
    encoded = task.encode({"inputs": np.ones((6, 2)), "lengths": 5, "resets": [0, 0, 1, 0, 0, 0]})
    assert {name: a.tolist() for name, a in encoded.items() if name != "inputs"} == {
        "lengths": 5,
        "resets": [False, False, True, False, False, False],
    }
    assert task.encode(np.ones((3, 2)))["lengths"] == 3
    assert task.decode(one_hot(3, 2))["class"] == 2  # by the type of its targets


def test_a_continuation_is_a_text() -> None:
    spec = Spec(inputs_of((3,), jnp.int32), 3, "every", 3)
    task = plain_task(spec, vocabularies={"inputs": ("a", "b", "c")}, continues=True)
    assert task.decode(np.array([2, 0, 1])) == "c a b"


def test_the_mean_of_seeds() -> None:
    logits = np.log([[[0.9, 0.1]], [[0.2, 0.8]]])
    answer = Classes()(Classes().mean(logits))
    assert answer["classes"] == [0]
    np.testing.assert_allclose(answer["probabilities"], [0.55], rtol=1e-6)
    # Side by side, each answer has probabilities of its own.
    side_by_side = np.concatenate([logits[:, 0], logits[::-1, 0] + 50], axis=1)
    form = Classes(size=2)
    np.testing.assert_allclose(form(form.mean(side_by_side))["probabilities"], [0.55, 0.55], rtol=1e-6)
    assert Numbers()(Numbers().mean(f32([[1], [2]]))) == 1.5
    assert not hasattr(Words(), "mean")


BIT, WORD = Tokens(2, ("0", "1"), split=list), Tokens(3, ("left", "right", "walk"))
LETTERS = Tokens(70, tuple(map(chr, range(48, 118))), split=list)
MANY = Tokens(100, tuple(f"word{n}" for n in range(100)))
SERIES, PAIRS, PICTURE = Vectors(1), Vectors(2, steps=3), Image((2, 2), lambda pixels: pixels)
COUNTED = Vectors(1, beside=("lengths", "mask"))
MISTAKES: dict[str, tuple[Any, Any, str]] = {
    "an unknown word": (
        WORD,
        "walk rigth",
        "word='rigth' is unknown; did you mean 'right'?; choose from left, right, walk",
    ),
    "an unknown word of many": (
        MANY,
        "word5 werd55",
        "word='werd55' isn't among the 100 known; near are word55, word5, word95",
    ),
    "an unknown character": (BIT, "0120", "character='2' is unknown; choose from 0, 1"),
    "an unknown character of many": (
        LETTERS,
        "A~",
        f"character='~' isn't among the 70 known: {''.join(map(chr, range(48, 118)))!r}",
    ),
    "an unknown token": (Tokens(5), "1 7", "token 7 is unknown: tokens are from 0 to 4"),
    "a token that is no number": (Tokens(5), "1 x", "token 'x' must be a whole number"),
    "a token with a fraction": (Tokens(5), [1, 1.5], "token 1.5 must be a whole number"),
    "an empty text": (WORD, "  ", "the input is empty: it must have at least 1 token"),
    "an empty array": (PAIRS, np.zeros((0, 2)), "the input is empty: it must have 3 steps"),
    "a series too short": (PAIRS, "1 2; 3 4", "the input has 2 steps and must have 3"),
    "a step with a number too many": (
        PAIRS,
        "1 2; 3 4 5; 6 7",
        "a step has 3 numbers and must have 2; semicolons divide steps",
    ),
    "an array of another shape": (PAIRS, np.zeros((3, 4)), "an array of shape [3, 4] must have the shape [3, 2]"),
    "a text where numbers are asked for": (
        SERIES,
        "walk twice",
        "'walk twice' must be numbers (or an array from a file)",
    ),
    "a number that isn't finite": (SERIES, [1, np.nan], "the input has numbers that aren't finite, or beyond float32"),
    "an image of another size": (
        PICTURE,
        np.zeros((3, 3)),
        "an array of shape [3, 3] must be an image [2, 2], or its 4 pixels",
    ),
    "pixels out of range": (PICTURE, [[0, 1], [2, 300]], "pixels from 0 to 300 must be from 0 to 255"),
    "a field that isn't read": (
        SERIES,
        {"inputs": [1], "lengths": 1},
        "field='lengths' is unknown; choose from inputs",
    ),
    "a length beyond the steps": (
        COUNTED,
        {"inputs": [1, 2], "lengths": 3},
        "lengths=3 must be a whole number from 1 to 2, the steps",
    ),
    "a mask of another length": (
        COUNTED,
        {"inputs": [1, 2], "mask": [1]},
        "mask must be [2] of true and false, here it has shape [1]",
    ),
    "inputs that are missing": (SERIES, {"input": [1]}, "an input that is a dict must have 'inputs'; it has input"),
}


@fault(
    "predictions", "an unknown word", "an unknown word among many", "an unknown character",
    "an unknown character among many", "an unknown token",
    "a token that isn't a number", "a token with a fraction", "an empty text", "an empty array", "a series too short",
    "a step with too many numbers", "an array of the wrong shape", "a text instead of numbers",
    "a non-finite number", "an image of the wrong size", "pixels out of range", "a field that isn't read",
    "a length beyond the steps", "a mask of the wrong length", "missing inputs",
)  # fmt: skip
def test_a_mistake_in_an_input_is_one_line() -> None:
    for form, raw, says in MISTAKES.values():
        with pytest.raises(ValueError, match=f"^{re.escape(says)}$") as caught:
            form(raw)
        seen(caught)


def test_what_is_no_input_at_all() -> None:
    with pytest.raises(TypeError, match=r"^None must be numbers \[T, 1\] or \[T\]$"):
        SERIES(None)
