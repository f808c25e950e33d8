"""SCAN: translates commands to actions and tests generalisation (Lake and Baroni, ICML 2018, arXiv 1711.00350)."""

import collections
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import choose
from gru_research.data.scan import ACTIONS, COMMANDS, LONGEST_ACTIONS, LONGEST_COMMAND, numbers
from gru_research.masks import length_mask
from gru_research.metrics import mean
from gru_research.spec import Generation, Spec
from gru_research.types import Array, Batch

from .base import Splits, Stored, Task, alike, check_share, correct, cross_entropy, over_steps
from .output_decoders import Words

WORDS = (*ACTIONS, "<end>", "<begin>")
"""The vocabulary of answers: actions, the end token, and the decoder's first input."""
END, BEGIN = WORDS.index("<end>"), WORDS.index("<begin>")
Sequences = list[tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class _Split:
    """Facts about a split: the number of training `commands` that occur once, the `longest` training action sequence,
    and the shares of test commands that the trivial answers get right: `frequent`, `nearest` and `halves`."""

    commands: int
    longest: int
    frequent: float
    nearest: float
    halves: float


SPLITS = {
    "simple": _Split(commands=16_728, longest=48, frequent=0.0002, nearest=0.0026, halves=0.6714),
    "length": _Split(commands=16_990, longest=22, frequent=0.0, nearest=0.0, halves=0.1980),
    "jump": _Split(commands=13_203, longest=48, frequent=0.0, nearest=0.0, halves=0.0423),
}
FREQUENT = "the most frequent answer"
NEAREST = "the answer of the nearest command"
HALVES = "the answers of both halves"


def scan(
    split: Literal["simple", "length", "jump"] = "simple",
    validation_size: int = 1000,
    threshold: float | None = None,
) -> Task:
    """Predict the actions of a command, such as "walk twice and jump left".

    A command has up to 9 words out of 13. Its answer has up to 48 actions out of 6, and an end token. The metric
    "exact_match" is the share of commands with an exactly right generated answer, including its end. "token_accuracy"
    is the share of right tokens with teacher forcing.

    `split` is the paper's: "simple" draws the test set at random (experiment 1); "length" trains on answers of up to 22
    actions and tests on 24 to 48 (experiment 2); "jump" trains on all commands without "jump", and on "jump" alone, and
    tests on its combinations (experiment 3).

    The validation set is a fixed random subset of the training examples for each `validation_size`. It is drawn from
    commands that occur once, so no validation command is in training, and "jump" alone stays in training. In "length"
    and "jump" it resembles the training set, not the test set: a model can solve validation and fail on test.

    The trivial answers are known from all training examples: the most frequent answer; the answer to the command with
    the fewest inserted, deleted or replaced words; and, joined in the right order, the answers to the commands before
    and after "and" or "after". The last one measures memorisation: it is right for 67 % of "simple", 20 % of "length"
    and 4 % of "jump".

    The default `threshold` of the validation metric is 0.99 in "simple". The other two splits have no default.
    """
    known = SPLITS[choose("split", split, SPLITS)]
    if not 1 <= validation_size < known.commands:
        raise ValueError(f"validation_size={validation_size!r} must be from 1 to {known.commands - 1}")
    if threshold is not None:
        check_share("threshold", threshold)
    elif split == "simple":
        threshold = 0.99

    def parts(stored: Splits) -> Splits:
        held_out = drawn(stored["train"], validation_size)
        train = {name: a[~held_out] for name, a in stored["train"].items()}
        validation = {name: a[held_out] for name, a in stored["train"].items()}
        return {
            "train": {**train, "actions": train["actions"][:, : known.longest]},
            "validation": {**validation, "actions": validation["actions"][:, : known.longest]},
            "test": stored["test"],
        }

    tokens = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.int32)
    example = {
        "inputs": tokens((LONGEST_COMMAND,)),
        "lengths": tokens(()),
        "targets": tokens((known.longest + 1,)),
        "target_lengths": tokens(()),
    }
    return Task(
        name=f"scan-{split}",
        data=Stored(
            f"scan_{split}", parts, _prepare, padded={"command": "command_length", "actions": "actions_length"}
        ),
        spec=Spec(
            example,
            output_size=len(WORDS),
            answers="generated",
            vocabulary=len(COMMANDS),
            generation=Generation(BEGIN, END, LONGEST_ACTIONS + 1),
        ),
        loss=token_loss,
        metrics={"exact_match": mean(exact_match, "max", of="answers"), "token_accuracy": mean(token_accuracy, "max")},
        metric="exact_match",
        threshold=threshold,
        trivial={FREQUENT: known.frequent, NEAREST: known.nearest, HALVES: known.halves},
        length=LONGEST_COMMAND,
        scaling="Commands have at most 9 words; what grows is the answer, of up to 48 actions.",
        encode=encode,
        decode=Words(WORDS, END),
        vocabularies={"inputs": COMMANDS, "targets": WORDS},
    )


def drawn(train: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Returns `[N]`, True for `size` training examples, drawn from commands that occur once."""
    commands = sequences(train, "command")
    counts = collections.Counter(commands)
    once = [n for n, command in enumerate(commands) if counts[command] == 1]
    # RandomState's stream never changes. The stream of NumPy's Generator may.
    chosen = np.random.RandomState(0).permutation(once)[:size]
    return np.isin(np.arange(len(commands)), chosen)


def _prepare(batch: Batch) -> Batch:
    """Converts `command [B, 9]`, `actions [B, U]` and their lengths to tokens `inputs [B, 9]`, `targets [B, U + 1]`,
    with `lengths` and `target_lengths [B]`. Targets end with `END`, and their padding is `END`."""
    actions, length = batch["actions"].astype(jnp.int32), batch["actions_length"]
    actions = jnp.pad(actions, ((0, 0), (0, 1)))
    real = length_mask(length, actions.shape[1])
    return {
        "inputs": batch["command"].astype(jnp.int32),
        "lengths": batch["command_length"],
        "targets": jnp.where(real, actions, END),
        "target_lengths": length + 1,
    }


def token_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each answer's mean cross-entropy in nats, from logits `[B, U, V]`, `targets` and `target_lengths`."""
    return over_steps(cross_entropy(outputs, batch["targets"]), batch["target_lengths"])


def token_accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns the share of each answer's tokens that have the largest logit."""
    return over_steps(correct(outputs, batch["targets"]), batch["target_lengths"])


def exact_match(answers: Any, batch: Batch) -> tuple[Array, Array]:
    """Returns 1 for each generated answer that equals the target, including its end, else 0, from `tokens [B, N]` and
    `lengths [B]` of `decoding.Answers`, and `targets [B, U]` and `target_lengths [B]`."""
    steps = min(answers.tokens.shape[1], batch["targets"].shape[1])
    lengths = batch["target_lengths"]
    same = answers.tokens[:, :steps] == batch["targets"][:, :steps]
    same |= jnp.arange(steps) >= lengths[:, None]
    return alike((same.all(1) & (answers.lengths == lengths)).astype(jnp.float32))


def encode(command: str) -> dict[str, np.ndarray]:
    """A command as the model sees it: `inputs [9]` and `lengths []`.

    Raises:
      TypeError: `command` isn't a text.
      ValueError: no word, more than 9 words, or a word outside the 13.
    """
    if not isinstance(command, str):
        raise TypeError(f"command={command!r} must be a text, such as 'walk twice and jump left'")
    words = numbers(command, COMMANDS, LONGEST_COMMAND)
    inputs = np.zeros(LONGEST_COMMAND, np.int32)
    inputs[: len(words)] = words
    return {"inputs": inputs, "lengths": np.array(len(words), np.int32)}


def sequences(arrays: Mapping[str, np.ndarray], name: Literal["command", "actions"]) -> Sequences:
    """Returns the numbers of each example's words, without padding."""
    lengths = arrays[f"{name}_length"].tolist()
    return [tuple(row[:length]) for row, length in zip(arrays[name].tolist(), lengths, strict=True)]
