"""Answers of a run's cells and seeds to raw inputs, against its models applied by hand."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research import runs
from gru_research.config import UserError, experiment
from gru_research.decoding import greedy, sample
from gru_research.models import Model, sequence
from gru_research.runs.predict import Sampling, predict
from gru_research.spec import Spec
from gru_research.tasks import Stored, Task
from gru_research.tasks.base import class_loss
from gru_research.tasks.input_encoders import Tokens, characters_of
from gru_research.tasks.output_decoders import Words, softmax
from gru_research.training import make_plan
from gru_research.types import Params
from tests.faults import fault, seen
from tests.runs.small import trained

SEEDS = (3, 4, 5)


@dataclasses.dataclass(frozen=True)
class Untrained:
    """A run with the parameters before training, and results that were made up."""

    task: Task
    models: Mapping[str, Model]
    validation: Sequence[float] = (0.5, 0.9, 0.7)
    diverged: Sequence[int | None] = (None, None, None)
    recorded: str = "result"

    @property
    def cells(self) -> tuple[str, ...]:
        return tuple(self.models)

    def seeds(self, cell: str) -> tuple[int, ...]:
        assert cell in self.models
        return SEEDS

    def records(self, kind: str) -> dict[str, list]:
        if kind != self.recorded:
            return {}
        rows = [(cell, *row) for cell in self.cells for row in zip(SEEDS, self.validation, self.diverged, strict=True)]
        names = ("cell", "seed", "validation_metric", "diverged_at")
        return {name: [row[n] for row in rows] for n, name in enumerate(names)}

    def model(self, cell: str) -> Model:
        return self.models[cell]

    def parameters(self, cell: str, seed: int | None = None) -> Params:
        assert seed is not None
        params = self.models[cell].init(jax.random.key(seed), self.task.spec.example)
        return jax.tree.map(lambda a: 4 * a, params)  # so that answers differ


def untrained(task: Mapping[str, Any], model: Mapping[str, Any] | None = None) -> Untrained:
    config = experiment(
        {
            "task": {**task, "validation_size": 2, "test_size": 2} if task["name"] in ("parity", "adding") else task,
            "cells": {"gru": {"kind": "gru", "hidden_size": 4}, "rnn": {"kind": "rnn", "hidden_size": 4}},
            "match": "width",
            "updates": 1,
            "model": dict(model or {}),
        }
    )
    plan = make_plan(config)
    # The test set is never asked for, nor any other.
    data = Stored("none", lambda splits: splits, lambda batch: batch, lambda: pytest.fail("data were read"))
    return Untrained(dataclasses.replace(plan.task, data=data), {cell.label: cell.model for cell in plan.cells})


@pytest.fixture(scope="module")
def parity() -> Untrained:
    return untrained({"name": "parity", "length": 8})


def by_hand(run: Untrained, cell: str, seed: int, text: str) -> np.ndarray:
    """Probabilities of a text of digits, without a batch and without padding."""
    logits = run.model(cell).apply(run.parameters(cell, seed), {"inputs": jnp.array([[int(c) for c in text]])})
    return softmax(np.asarray(logits)[0])


TEXTS = ["0110", "1", "10101010", "000111000111000", "01"]


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_an_answer_is_the_model_s_own_whatever_is_asked_beside_it(parity: Untrained, batch_size: int) -> None:
    """Texts of all lengths, one of them longer than in training: padding changes nothing."""
    told = []
    found = predict(parity, TEXTS, seeds=[5, 3], batch_size=batch_size, progress=lambda *at: told.append(at))
    assert [(p.input, p.cell, p.seed) for p in found] == [
        (text, cell, seed) for text in TEXTS for cell in ("gru", "rnn") for seed in (5, 3)
    ]
    for prediction in found:
        shares = by_hand(parity, prediction.cell, prediction.seed or 0, prediction.input)
        assert prediction.answer["class"] == ("even", "odd")[shares.argmax()]
        np.testing.assert_allclose(prediction.answer["probability"], shares.max(), rtol=1e-5)
    assert told[-1] == (20, 20) and told == sorted(told)


def test_seeds_may_be_numpy_s_numbers(parity: Untrained) -> None:
    for seeds, known in ((np.int64(4), [4]), (np.array([5, 3]), [5, 3]), (4, [4])):
        found = predict(parity, ["01"], "gru", seeds)  # pyright: ignore[reportArgumentType]
        assert [prediction.seed for prediction in found] == known


def test_an_ensemble_is_the_mean_of_its_seeds(parity: Untrained) -> None:
    found = predict(parity, TEXTS, cells="gru", ensemble=True)
    for prediction in found:
        assert prediction.seed is None
        shares = np.mean([by_hand(parity, "gru", seed, prediction.input) for seed in SEEDS], axis=0)
        np.testing.assert_allclose(prediction.answer["probabilities"]["odd"], shares[1], rtol=1e-5)
    without = predict(dataclasses.replace(parity, diverged=(None, 7, None)), ["0110"], ["gru"], ensemble=True)
    shares = np.mean([by_hand(parity, "gru", seed, "0110") for seed in (3, 5)], axis=0)
    np.testing.assert_allclose(without[0].answer["probabilities"]["odd"], shares[1], rtol=1e-5)
    assert predict(parity, ["0110"], ["gru"], [3, 5], ensemble=True) == without


def test_a_cell_answers_with_the_seed_that_validation_prefers(parity: Untrained) -> None:
    def seeds(**fields: Any) -> list[int | None]:
        return [p.seed for p in predict(dataclasses.replace(parity, **fields), ["01"])]

    assert seeds() == [4, 4]
    assert seeds(diverged=(None, 2, None)) == [5, 5]
    assert seeds(diverged=(1, 1, 1)) == [3, 3]
    assert seeds(recorded="evaluation") == [4, 4]  # of a cell that isn't finished
    assert seeds(recorded="none") == [3, 3]
    least = dataclasses.replace(parity.task, metric="loss", validation_metric="loss")
    assert seeds(task=least) == [3, 3]
    assert [p.seed for p in predict(parity, ["01"], "gru", "all")] == [3, 4, 5]


def test_numbers_of_fixed_length() -> None:
    run = untrained({"name": "adding", "length": 5})
    inputs = np.random.RandomState(0).rand(3, 5, 2).astype(np.float32)
    for prediction, given in zip(predict(run, inputs, "rnn", batch_size=2), inputs, strict=True):
        by_hand = run.model("rnn").apply(run.parameters("rnn", 3), {"inputs": given[None]})
        np.testing.assert_allclose(prediction.answer, by_hand[0, 0], rtol=1e-5)
    both = predict(run, inputs[:1], ensemble=True, cells=["gru"])[0].answer
    each = [p.answer for p in predict(run, inputs[:1], "gru", "all")]
    np.testing.assert_allclose(both, np.mean(each), rtol=1e-6)


def test_generated_answers() -> None:
    run = untrained({"name": "scan"}, {"kind": "encoder_decoder", "embedding_size": 4})
    commands = ["walk twice and jump left", "look"]
    for prediction in predict(run, commands, "gru", 3):
        model: Any = run.model("gru")
        batch = {name: a[None] for name, a in run.task.encode(prediction.input).items()}
        answers = greedy(model, run.parameters("gru", 3), batch, end=6, longest=49)
        assert prediction.answer == run.task.decode(answers.tokens[0])
    assert predict(run, commands[:1], "gru", 3)[0].answer  # an end at once would say nothing of the rest


@pytest.fixture(scope="module")
def letters() -> Untrained:
    """A language model of three letters."""
    spec = Spec({"inputs": jax.ShapeDtypeStruct((6,), jnp.int32)}, 3, "every", 3)
    form = Tokens(3, ("a", "b", "c"), split=characters_of)
    data = Stored("none", lambda splits: splits, lambda batch: batch)
    decode = Words(("a", "b", "c"), joint="")
    task = Task("letters", data, spec, class_loss, {}, "loss", encode=form, decode=decode, continues=True)
    return Untrained(task, {"gru": sequence(spec, gr.GRU(4)), "both": sequence(spec, gr.GRU(4), bidirectional=True)})


def test_an_input_is_continued(letters: Untrained) -> None:
    texts = ["ab", "cab", "cc"]
    model: Any = letters.model("gru")
    for temperature in (0.0, 0.7):
        how = Sampling(length=9, temperature=temperature, random_seed=5)
        found = predict(letters, texts, "gru", 4, sampling=how)
        for place, prediction in enumerate(found):
            batch = {name: a[None] for name, a in letters.task.encode(prediction.input).items()}
            arguments = (model, letters.parameters("gru", 4), batch)
            if temperature:
                key = jax.random.fold_in(jax.random.key(5), place)
                answers = sample(*arguments, key[None], end=None, longest=9, temperature=0.7)
            else:
                answers = greedy(*arguments, end=None, longest=9)
            assert prediction.answer == "".join("abc"[token] for token in answers.tokens[0])
            assert len(prediction.answer) == 9
        assert predict(letters, texts, "gru", 4, sampling=how, batch_size=1) == found
    assert len({p.answer for p in found}) > 1


@fault("predictions", "a model that can't generate", "an ensemble of texts", "an ensemble of outputs without a mean")
def test_what_can_not_be_generated_or_averaged_is_one_line(letters: Untrained) -> None:
    plain = dataclasses.replace(letters, task=dataclasses.replace(letters.task, decode=str, continues=False))
    for run, cell, ensemble, says in (
        (letters, "both", False, "both can't generate the answer that letters asks for: its model is bidirectional: "),
        (letters, "gru", True, "ensemble: letters has generated answers, of which there is no mean; choose seeds"),
        (
            plain,
            "gru",
            True,
            "ensemble: letters's decode has no `mean`, see tasks/output_decoders.py; choose seeds",
        ),
    ):
        with pytest.raises(UserError, match=f"^{re.escape(says)}") as caught:
            predict(run, ["ab"], cell, ensemble=ensemble)
        seen(caught)
    options: tuple[dict[str, Any], ...] = ({"length": 0}, {"temperature": -1.0}, {"random_seed": -1})
    for option in options:
        with pytest.raises(UserError, match=f"^{next(iter(option))}=-?[01](.0)? must be "):
            Sampling(**option)


@fault(
    "predictions", "an unknown input among many", "an empty input", "a cell that the run lacks",
    "a seed that the run lacks", "a seed that is neither a number nor all",
    "a seed with a fraction", "a batch of 0", "a text instead of a list",
)  # fmt: skip
def test_what_is_asked_wrong_is_one_line(parity: Untrained) -> None:
    for says, asked in {
        "input 2: character='2' is unknown; choose from 0, 1": {"inputs": ["01", "012"]},
        "input 1: the input is empty: it must have at least 1 token": {"inputs": [""]},
        "cell='lstm' is unknown; choose from gru, rnn": {"cells": "lstm"},
        "seed=7 is unknown; choose from 3, 4, 5": {"seeds": 7},
        "seeds='alll' must be whole numbers, or \"all\"": {"seeds": "alll"},
        'seeds=1.5 must be whole numbers, or "all"': {"seeds": 1.5},
        "batch_size=0 must be at least 1": {"batch_size": 0},
        "inputs='01' must be a list of inputs": {"inputs": "01"},
    }.items():
        with pytest.raises(UserError) as caught:
            predict(parity, **{"inputs": ["01"], **asked})
        assert str(caught.value) == says
        seen(caught)


OWN = '''
"""A task and two models of one's own."""

import jax
import jax.numpy as jnp
from flax import linen, nnx

from gru_research.spec import Spec
from gru_research.tasks.base import ACCURACY, Generated, Task, class_loss


def first(length: int = 4) -> Task:
    def make(key, batch_size):
        inputs = jax.random.randint(key, (batch_size, length), 0, 3, jnp.int32)
        return {"inputs": inputs, "targets": inputs[:, 0]}

    spec = Spec({"inputs": jax.ShapeDtypeStruct((length,), jnp.int32)}, 3, "last", 3)
    data = Generated(make, validation_size=4, test_size=4)
    return Task("first", data, spec, class_loss, ACCURACY, "accuracy", vocabularies={"inputs": ("a", "b", "c")})


class Linen(linen.Module):
    spec: Spec

    @linen.compact
    def __call__(self, inputs):
        return linen.Dense(self.spec.output_size)(jax.nn.one_hot(inputs, 3).reshape(len(inputs), -1))


class NNX(nnx.Module):
    def __init__(self, spec: Spec, *, rngs: nnx.Rngs):
        self.dense = nnx.Linear(12, spec.output_size, rngs=rngs)

    def __call__(self, inputs):
        return self.dense(jax.nn.one_hot(inputs, 3).reshape(len(inputs), -1))
'''


@pytest.mark.parametrize("name", ["Linen", "NNX"])
def test_a_task_and_a_model_of_one_s_own_answer(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    cells = {"gru": {"kind": "gru", "hidden_size": 2}}
    folder = trained(tmp_path / "run", {"name": f"{file}:first"}, model={"kind": f"{file}:{name}"}, cells=cells)
    run = runs.load(folder)
    params = run.parameters("gru", 1)
    dense = params["Dense_0"] if name == "Linen" else params["dense"]
    for prediction in predict(run, ["a b c a", "c c a b"], seeds=1):
        tokens = [("a", "b", "c").index(letter) for letter in prediction.input.split()]
        logits = np.eye(3)[tokens].ravel() @ dense["kernel"] + dense["bias"]
        assert prediction.answer["class"] == int(logits.argmax())
        np.testing.assert_allclose(prediction.answer["probability"], softmax(logits).max(), rtol=1e-5)
