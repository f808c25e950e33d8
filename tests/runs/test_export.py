"""Exported functions give what the model gives, for any number of examples and steps, where jax alone is there.

Tolerance 1e-5: the exported program is XLA's, and the model may run by the native engine.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pytest

from gru_research.config import UserError, experiment
from gru_research.runs import export
from gru_research.training import Plan, make_plan
from gru_research.training.evaluation import generate
from tests.faults import fault, seen

SMALL = {"validation_size": 2, "test_size": 2}
ADDING = {"name": "adding", "length": 6, **SMALL}
GRU = {"kind": "gru", "hidden_size": 4}
CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]] = {
    "numbers": (ADDING, GRU, {"layers": 2}),
    "tokens with lengths": ({"name": "listops", "length": 12, **SMALL}, {"kind": "lstm", "hidden_size": 4}, {}),
    "both directions": ({"name": "music"}, {"kind": "min_gru", "hidden_size": 4}, {"bidirectional": True}),
    "answers": ({"name": "scan"}, GRU, {"kind": "encoder_decoder", "attention": "luong"}),
    "next tokens": ({"name": "characters", "length": 8}, GRU, {"layers": 2}),
    "linen": (ADDING, GRU, {"kind": "gru_research.models.linen:Recurrent"}),
    "nnx": (ADDING, GRU, {"kind": "nnx"}),
}
BY_TOKEN = ("start", "step")
SIZES = ((3, 7), (1, 2))
"""Of the batch and of its steps: others than the tasks'."""
ALONE = """
import sys
sys.modules["gru_research"] = None  # any import of it fails
import json, jax, numpy as np

for folder, name in json.loads(sys.argv[1]):
    function = jax.export.deserialize(bytearray(open(f"{folder}/{name}.jax", "rb").read()))
    weights = dict(np.load(f"{folder}/weights.npz"))
    for number in range(2):
        batch = dict(np.load(f"{folder}/batch{number}.npz"))
        batch = {key: batch[key] for key in json.load(open(f"{folder}/{name}.json"))}
        leaves = jax.tree.leaves(function.call(weights, batch))
        np.savez(f"{folder}/{name}{number}.npz", *map(np.asarray, leaves))
"""


def plan_of(case: str) -> Plan:
    task, cell, model = CASES[case]
    return make_plan(experiment({"task": task, "cells": {"it": cell}, "model": model}))


def batch_of(task: Any, rows: int, steps: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A batch like the task's examples, of other sizes."""
    most = {"inputs": task.spec.vocabulary or 1, "targets": task.spec.output_size, "lengths": steps + 1}
    batch = {}
    for name, a in export.example_of(task).items():
        shape = (rows, *((steps,) if a.shape else ()), *a.shape[1:])
        whole = rng.integers(int("lengths" in name), most.get(name, steps + 1), shape)
        batch[name] = (whole if a.dtype.kind in "iu" else rng.normal(size=shape)).astype(a.dtype)
    return batch


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All cases' functions, with weights drawn at random: written, called where this package is absent, and as models
    are."""
    known: dict[str, Any] = {}
    asked, rng = [], np.random.default_rng(0)
    for case in CASES:
        folder, plan = tmp_path_factory.mktemp(case.replace(" ", "_")), plan_of(case)
        model, task = plan.cells[0].model, plan.task
        shapes = jax.eval_shape(model.init, jax.random.key(1), task.spec.example)
        params = jax.tree.map(lambda a: rng.normal(size=a.shape).astype(a.dtype), shapes)
        np.savez(folder / "weights.npz", **export.by_name(params))
        functions = export.export_functions(model, task, params, case)
        for function in functions:
            if function.name in BY_TOKEN:
                continue
            (folder / f"{function.name}.jax").write_bytes(function.program.serialize())
            (folder / f"{function.name}.json").write_text(json.dumps(list(function.inputs)))
            asked.append((str(folder), function.name))
        direct = {"apply": model.apply, "answer": lambda *given, m=model, t=task: generate(m, t, *given)._asdict()}
        for number, (rows, steps) in enumerate(SIZES):
            batch = batch_of(task, rows, steps, rng)
            np.savez(folder / f"batch{number}.npz", **batch)
            for function in functions:
                if function.name in BY_TOKEN:
                    continue
                outputs = jax.jit(direct[function.name])(params, batch)
                known[case, function.name, number] = folder, jax.tree.leaves(outputs)
        known[case] = functions
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", ALONE, json.dumps(asked)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return known


@pytest.mark.parametrize("case", CASES)
def test_without_this_package_it_gives_what_the_model_gives(case: str, made: dict[str, Any]) -> None:
    names = [function.name for function in made[case]]
    more = {"answers": ["answer", "start", "step"], "next tokens": ["start", "step"]}
    assert names == ["apply", *more.get(case, [])]
    for name in [name for name in names if name not in BY_TOKEN]:
        for number in range(len(SIZES)):
            folder, expected = made[case, name, number]
            found = np.load(folder / f"{name}{number}.npz")
            assert len(found.files) == len(expected)
            for a, b in zip(found.files, expected, strict=True):
                np.testing.assert_allclose(found[a], b, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_sizes_and_platforms_are_open(case: str, made: dict[str, Any]) -> None:
    for function in made[case]:
        about = function.describe()
        assert about["limits"] == [] and about["platforms"] == ["cpu", "cuda", "tpu"]
        if function.name == "step":
            assert about["inputs"]["tokens"] == {"shape": ["b"], "dtype": "int32"}
            assert set(about["outputs"]) - {"logits"} == set(about["inputs"]) - {"tokens"}
            continue
        assert about["inputs"]["inputs"]["shape"][:2] == ["b", "t"]
        assert ("lengths" in about["inputs"]) == (case in ("tokens with lengths", "both directions", "answers"))


class OfOneLength:
    """A model that asks how many steps there are."""

    def init(self, key: Any, example: Any) -> Any:
        return {"w": jax.numpy.zeros(2)}

    def apply(self, params: Any, batch: Any, key: Any = None) -> Any:
        steps = 1.0 if batch["inputs"].shape[1] > 4 else 2.0
        return steps * batch["inputs"].sum(1) @ params["w"][:, None]


def test_what_the_model_does_not_leave_open_is_fixed_and_said() -> None:
    task = plan_of("numbers").task
    (function,) = export.export_functions(OfOneLength(), task, {"w": np.ones(2, np.float32)}, "it")
    assert function.describe()["inputs"]["inputs"]["shape"] == ["b", 6, 2]
    (limit,) = function.limits
    assert limit.startswith("the number of steps is fixed: ")
    xs = np.ones((3, 6, 2), np.float32)
    np.testing.assert_allclose(
        function.program.call({"w": np.ones(2, np.float32)}, {"inputs": xs}), np.full((3, 1), 12)
    )


class Refusing(OfOneLength):
    def apply(self, params: Any, batch: Any, key: Any = None) -> Any:
        raise RuntimeError("not today")


@fault("cells and layers", "a model that can't be exported")
def test_a_model_that_cannot_be_exported_is_named() -> None:
    with pytest.raises(UserError, match=r"^gru: its model can't be exported \(.*RuntimeError: not today\)$") as caught:
        export.export_functions(Refusing(), plan_of("numbers").task, {"w": np.ones(2)}, "gru: its model")
    seen(caught)


@fault("command line", "an export without its packages")
def test_packages_that_are_missing_are_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None if name == "flatbuffers" else object())
    with pytest.raises(
        UserError, match=r"^exporting needs flatbuffers: pip install 'gru_research\[export\]'$"
    ) as caught:
        export.check_packages()
    seen(caught)


def test_two_parameters_of_one_name_are_refused() -> None:
    assert list(export.by_name({"a": {"b": np.ones(1)}, "c": (np.ones(1),)})) == ["a.b", "c.0"]
    with pytest.raises(ValueError, match=r"two parameters are called 'a\.b'"):
        export.by_name({"a": {"b": np.ones(1)}, "a.b": np.ones(1)})


@pytest.mark.parametrize("case", ["answers", "next tokens"])
def test_start_and_step_give_the_logits_of_the_model_s_own(case: str, made: dict[str, Any]) -> None:
    plan, programs = plan_of(case), {function.name: function.program for function in made[case]}
    model: Any = plan.cells[0].model
    folder, _ = made[case, "apply", 0]
    weights, batch = dict(np.load(folder / "weights.npz")), dict(np.load(folder / "batch0.npz"))
    asked = {name: a for name, a in batch.items() if not name.startswith("target")}
    structure = jax.tree.structure(jax.eval_shape(model.init, jax.random.key(0), plan.task.spec.example))
    state, logits = model.start(jax.tree.unflatten(structure, weights.values()), asked)
    found = programs["start"].call(weights, asked)
    for token in (1, 0):
        np.testing.assert_allclose(found["logits"], logits, rtol=0, atol=1e-5)
        tokens = np.full(len(logits), token, np.int32)
        state, logits = model.step(jax.tree.unflatten(structure, weights.values()), state, tokens)
        found = programs["step"].call(weights, {"tokens": tokens, "state": found["state"]})
    np.testing.assert_allclose(found["logits"], logits, rtol=0, atol=1e-5)
