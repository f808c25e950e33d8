"""Every kind of model: training, matching of sizes, resuming, and errors for unsupported uses."""

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as flax_linen
from flax import nnx as flax_nnx

import gru_research as gr
from experiments.cli.launcher import experiment_from
from gru_research import records
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.decoding import DECODERS
from gru_research.metrics import Additive, Collected, mean
from gru_research.models import MODELS, SequenceModel, options_of
from gru_research.runs.comparison import run_comparison
from gru_research.tasks import TASKS, Task
from gru_research.training import batch_maker, evaluation_hooks, load_parameters, make_plan
from gru_research.training.evaluation import generate
from tests import pages
from tests.faults import fault, seen

SETS = {"validation_size": 3, "test_size": 4}
ADDING: dict[str, Any] = {"name": "adding", "length": 2, **SETS}
BACKWARDS: dict[str, Any] = {"name": "backwards", "length": 2, "symbols": 2, **SETS}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sequence": (ADDING, {"state_dropout": 0.5}),
    "encoder_decoder": (BACKWARDS, {"attention": "luong", "embedding_size": 2, "dropout": 0.5}),
    "linen": (ADDING, {"dropout": 0.5}),
    "nnx": (ADDING, {"dropout": 0.5}),
}
OF_APPLICATIONS = ("stream", "voices", "segrnn", "one_step", "pointer")
"""Kinds for the tasks of applications, which are tested with these tasks."""
CONFIG: dict[str, Any] = {
    "cells": {"gru": {"kind": "gru", "hidden_size": 2}},
    "updates": 2,
    "batch_size": 4,
    "eval_every": 1,
    "seeds": 2,
}


@pytest.fixture(autouse=True)
def _backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the task of docs/new_task.md whose answers are generated."""
    monkeypatch.setitem(TASKS, "backwards", pages.names("new_task.md", "backwards")["backwards"])


def of_kind(kind: str, **fields: Any) -> Any:
    task, options = KINDS[kind]
    return experiment(CONFIG | {"task": task, "model": {"kind": kind, **options}} | fields)


def test_the_kinds_of_these_tests_are_all() -> None:
    assert list(KINDS) == [kind for kind in MODELS if kind not in OF_APPLICATIONS]


def results_of(workdir: Path) -> tuple[list[Any], list[bytes]]:
    """Returns the records without times and environments, and the bits of the parameters."""
    lines = map(json.loads, (workdir / records.FILE_NAME).read_text().splitlines())
    kept = [{k: v for k, v in line.items() if k not in ("time", "env")} for line in lines]
    return kept, [np.asarray(a).tobytes() for a in jax.tree.leaves(load_parameters(workdir, "gru"))]


@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_and_goes_on_to_the_same_bits(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_maker, "UPDATES_PER_CALL", 1)
    plan = make_plan(of_kind(kind))
    assert run_comparison(plan, tmp_path / "whole", DataDirs())
    stopping = iter([False, True])
    assert not run_comparison(plan, tmp_path / "run", DataDirs(), stopping=lambda: next(stopping))
    assert run_comparison(make_plan(of_kind(kind)), tmp_path / "run", DataDirs())
    assert results_of(tmp_path / "run") == results_of(tmp_path / "whole")
    run = records.read(tmp_path / "run" / records.FILE_NAME)
    assert len(run.header.env["resumed"]) == 1 and run.header.config["model"]["kind"] == kind
    saved = load_parameters(tmp_path / "run", "gru")["params"]
    assert sum(np.asarray(a)[0].size for a in jax.tree.leaves(saved)) == run.cells[0].parameters
    for seed in (0, 1):
        curve = [e.validation_loss for e in run.evaluations if e.seed == seed]
        assert np.isfinite(curve).all() and len(set(curve)) == 3


@pytest.mark.parametrize("match", ["parameters", "flops"])
@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_matched_in_size(kind: str, match: str) -> None:
    def plan(size: int | None = None, **fields: Any) -> Any:
        gru = {"gru": {"kind": "gru", "hidden_size": 9}}
        rnn = {"kind": "rnn"} if size is None else {"kind": "rnn", "hidden_size": size}
        return make_plan(of_kind(kind, cells=gru | {"rnn": rnn}, **fields))

    gru, rnn = plan(match=match).cells
    apart = {}
    for size in (rnn.hidden_size - 1, rnn.hidden_size, rnn.hidden_size + 1):
        other = plan(size, match="none").cells[1]
        apart[size] = abs(getattr(other, match) - getattr(gru, match))
    assert rnn.hidden_size > gru.hidden_size and min(apart, key=lambda size: apart[size]) == rnn.hidden_size


def test_a_model_of_kind_sequence_imports_no_flax() -> None:
    program = f"""
import sys
from gru_research.config import experiment
from gru_research.training import make_plan
make_plan(experiment({CONFIG | {"task": ADDING, "model": {"kind": "sequence"}}!r}))
sys.exit("flax" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_time_loops_take_their_options_from_the_config() -> None:
    for kind in ("sequence", "encoder_decoder"):
        task, options = KINDS[kind]
        unroll = {"backend": "vjp", "checkpoint": 3, "unroll": 2}
        options = {name: value for name, value in options.items() if name != "state_dropout"}  # has autodiff alone
        made = make_plan(of_kind(kind, model={"kind": kind, **options, "unroll": unroll}))
        model: Any = made.cells[0].model
        found = model.unroll if isinstance(model, SequenceModel) else model.options
        assert (found.backend, found.checkpoint, found.unroll) == ("vjp", 3, 2), task
        assert made.config.model.options["unroll"] == dataclasses.asdict(gr.UnrollOptions(**unroll))


def test_a_config_s_model_can_be_exchanged_on_the_command_line() -> None:
    given = {"model": {"kind": "nnx", "dropout": 0.1}}
    made = make_plan(experiment_from("the test", "configs/adding.py", given))
    assert made.config.model.options == {"dropout": 0.1, "embedding_size": 64} and len(made.cells) == 3


class Counted(flax_linen.Module):
    """A module with `size` outputs for each example and fields that record its options."""

    size: int
    scale: float = 1.0
    cell: Any = None

    @flax_linen.compact
    def __call__(self, inputs: Any) -> Any:
        return flax_linen.Dense(self.size)(inputs.mean(-2)) * self.scale


class Linear(flax_nnx.Module):
    def __init__(self, size: int, *, rngs: flax_nnx.Rngs) -> None:
        self.map = flax_nnx.Linear(2, size, rngs=rngs)

    def __call__(self, inputs: Any) -> Any:
        return self.map(inputs.mean(-2))


def test_anybody_s_module_with_its_options_trains_by_its_name(tmp_path: Path) -> None:
    for kind, module in (("linen", Counted), ("nnx", Linear)):
        plan = make_plan(of_kind(kind, model={"kind": named(module), "size": 1}))
        assert plan.cells[0].parameters == 2 + 1
        assert run_comparison(plan, tmp_path / kind, DataDirs())
        result = records.read(tmp_path / kind / records.FILE_NAME).results[0]
        test = plan.task.data.load(DataDirs())["test"]
        kernel, bias = sorted(
            (np.asarray(a)[0] for a in jax.tree.leaves(load_parameters(tmp_path / kind, "gru")["params"])),
            key=np.ndim, reverse=True,
        )  # fmt: skip
        error = np.square(test["inputs"].mean(-2) @ kernel + bias - test["targets"]).mean()
        assert result.test_metric == pytest.approx(float(error), rel=1e-5)


class Failing(flax_linen.Module):
    @flax_linen.compact
    def __call__(self, inputs: Any) -> Any:
        raise RuntimeError("two\nlines")


class Normalised(flax_linen.Module):
    @flax_linen.compact
    def __call__(self, inputs: Any, train: bool) -> Any:
        return flax_linen.Dense(1)(flax_linen.BatchNorm(use_running_average=not train)(inputs)[:, -1])


class Noisy(flax_linen.Module):
    """A module that draws from a key stream which training doesn't provide."""

    @flax_linen.compact
    def __call__(self, inputs: Any, train: bool) -> Any:
        noise = jax.random.normal(self.make_rng("noise"), inputs.shape) if train else 0
        return flax_linen.Dense(1)((inputs + noise).mean(-2))


class Constant(flax_linen.Module):
    def __call__(self, inputs: Any) -> Any:
        return inputs[:, -1, :1]


class Deaf(flax_linen.Module):
    def __call__(self) -> Any:
        return jnp.zeros((1, 1))


class FailingNNX(flax_nnx.Module):
    def __init__(self, *, rngs: flax_nnx.Rngs) -> None:
        raise KeyError("units")


def named(module: type) -> str:
    return f"{__name__}:{module.__name__}"


def line_of(module: type, behind: int) -> int:
    """Returns the number of the line that is `behind` lines after a class's first line in this file."""
    return inspect.getsourcelines(module)[1] + behind


MODELS_AMISS = [
    pytest.param(
        ADDING, {"kind": "linen", "layers": 2},
        "config.model.layers=2 is an option of kind='sequence', 'encoder_decoder', 'stream', 'voices', "
        "here kind='linen', which has embedding_size, dropout",
        marks=fault("config", "an option of another kind of model"),
    ),
    pytest.param(
        BACKWARDS, {"kind": "sequence"},
        "config.model.kind='sequence' can't generate, which the task asks for; kind='encoder_decoder' can",
        marks=fault("config", "a model that can't generate, for a task that needs it"),
    ),
    (BACKWARDS, {"kind": "linen"}, "config.model.kind='linen' has no start and step, and backwards asks for generated"),
    (BACKWARDS, {"kind": "nnx"}, "config.model.kind='nnx' has no start and step, and backwards asks for generated"),
    (ADDING, {"kind": "encoder_decoder"}, "config.model.kind='encoder_decoder' needs a task with answers='generated'"),
    pytest.param(
        ADDING, {"kind": named(Counted), "size": 3},
        "Counted' with gru gives outputs of shape (2, 3) for 2 examples, and adding asks for (2, 1)",
        marks=fault("config", "a model whose outputs have the wrong shape"),
    ),
    (
        ADDING, {"kind": named(Linear), "size": 3},
        "Linear' with gru gives outputs of shape (2, 3) for 2 examples, and adding asks for (2, 1)",
    ),
    pytest.param(
        ADDING, {"kind": "gru_research.models.linen:Recurent"},
        "config.model.kind='gru_research.models.linen:Recurent': gru_research.models.linen has no 'Recurent': it has L",
        marks=fault("config", "a missing module"),
    ),
    (ADDING, {"kind": "nowhere:Net"}, "config.model.kind='nowhere:Net' can't be found: there is no module 'nowhere'"),
    (ADDING, {"kind": "no_colon"}, "config.model.kind='no_colon' is unknown; choose from sequence, encoder_decoder"),
    pytest.param(
        ADDING, {"kind": "math:pi"}, "config.model.kind='math:pi' must be of a module of yours: math is Python's own",
        marks=fault("config", "a module of Python's standard library"),
    ),
    (ADDING, {"kind": "numpy:pi"}, "config.model.kind='numpy:pi' must be a function or a class, not 3.14"),
    (ADDING, {"kind": "numpy:ndarray"}, "config.model.shape is missing"),
    (ADDING, {"kind": "optax:EmptyState"}, "gives EmptyState, which has no init and apply"),
    pytest.param(
        ADDING, {"kind": named(Counted), "size": 1, "sise": 2},
        "config.model has no field 'sise'; did you mean 'size'?; fields: size, scale",
        marks=fault("config", "an unknown option of a module"),
    ),
    (ADDING, {"kind": named(Linear)}, "config.model.size is missing"),
    (ADDING, {"kind": named(Linear), "size": 1, "rngs": 1}, "config.model has no field 'rngs'"),
    (ADDING, {"kind": named(Counted), "size": "one"}, "config.model.size='one' must be a whole number"),
    (ADDING, {"kind": "linen", "embedding_size": 2.5}, "config.model.embedding_size=2.5 must be a whole number"),
    (
        ADDING, {"kind": named(Failing)},
        f"Failing' with gru fails (test_kinds.py, line {line_of(Failing, 3)}: RuntimeError: two)",
    ),
    (
        ADDING, {"kind": named(Normalised)},
        "Normalised' with gru fails (module has the variables batch_stats; a model has params alone)",
    ),
    (
        ADDING, {"kind": named(Noisy)},
        f"Noisy' with gru fails (test_kinds.py, line {line_of(Noisy, 5)}: InvalidRngError: ",
    ),
    (ADDING, {"kind": named(Constant)}, "Constant' with gru has no parameters to train"),
    (ADDING, {"kind": named(Deaf)}, "Deaf.__call__ must take the inputs, and takes nothing"),
    (
        ADDING, {"kind": named(FailingNNX)},
        f"kind={named(FailingNNX)!r} with gru fails (test_kinds.py, line {line_of(FailingNNX, 2)}: KeyError: 'units')",
    ),
    (ADDING, {"kind": ".own:Net"}, "'.own:Net' must be path/to/file.py:Name or package.module:Name"),
    (
        ADDING, {"state_dropout": 0.5, "unroll": {"backend": "vjp"}},
        "config.model.kind='sequence' with gru fails (backend='vjp' isn't there for StateDropout(cell=GRU(hidden_size=",
    ),
    (
        {"name": "characters", "length": 4}, {"bidirectional": True},
        "config.model.bidirectional=True reads the very tokens that characters asks for: leave it out",
    ),
    (ADDING, {"kind": 3}, "config.model.kind=3 must be a model's name"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "model", "said"), MODELS_AMISS, ids=[str(i) for i in range(len(MODELS_AMISS))])
def test_a_model_that_does_not_fit_is_named(task: dict[str, Any], model: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(experiment(CONFIG | {"task": task, "model": model}))
    assert said in str(caught.value) and "\n" not in str(caught.value)
    seen(caught)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:", "own_module.py, line 1: invalid syntax"),
        ("\nimport nothing_of_this_name", "own_module.py, line 2: ModuleNotFoundError: No module named 'nothing_of_th"),
        ("1 / 0", "own_module.py, line 1: ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_can_t_be_imported_says_where(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_module.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError) as caught:
        make_plan(of_kind("linen", model={"kind": "own_module:Net"}))
    assert str(caught.value).startswith(f"config.model.kind='own_module:Net' can't be imported ({said}")


def test_own_kinds_are_held_to_what_the_task_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSteps:
        def init(self, key: Any, example: Any) -> Any:
            return {"w": jnp.zeros(6)}

        def apply(self, params: Any, batch: Any, key: Any = None) -> Any:
            return {"logits": jnp.broadcast_to(params["w"], (*batch["inputs"].shape, 6))}

    monkeypatch.setitem(MODELS, "own", lambda spec, cell: NoSteps())
    with pytest.raises(UserError, match="kind='own' has no start and step, and backwards asks for generated answers"):
        make_plan(experiment(CONFIG | {"task": BACKWARDS, "model": {"kind": "own"}}))
    asked = r"gives outputs of shape \{'logits': \(2, 2, 2, 6\)\} for 2 examples, and adding asks for \(2, 1\)"
    with pytest.raises(UserError, match=asked):
        make_plan(experiment(CONFIG | {"task": ADDING, "model": {"kind": "own"}}))


def changed(**fields: Any) -> Callable[..., Task]:
    """Returns a factory of the adding problem with other metrics or another loss."""

    def make() -> Task:
        task = TASKS["adding"](length=2, validation_size=3, test_size=3)
        known = {name: getattr(task, name) for name in ("name", "data", "spec", "loss", "metrics", "metric")}
        return Task(**known | fields)

    return make


def wide(outputs: Any, batch: Any) -> Any:
    return {"sum": jnp.zeros((outputs.shape[0], 3))}


def of_answers(outputs: Any, batch: Any) -> Any:
    return outputs.tokens[:, 0], outputs.lengths


METRICS_AMISS = [
    pytest.param(
        {"metrics": {"mse": mean(lambda outputs, batch: (outputs[:, 0], batch["labels"]), "min")}},
        "adding: its metric 'mse' doesn't fit the model's outputs (KeyError: 'labels')",
        marks=fault("tasks", "a metric that doesn't fit the task's outputs"),
    ),
    (
        {"metrics": {"mse": mean(of_answers, "min")}},
        "adding: its metric 'mse' doesn't fit the model's outputs (Attribu",
    ),
    pytest.param(
        {"metrics": {"mse": Additive(wide, lambda sums: sums["sum"], "min")}},
        "adding: its metric 'mse' gives arrays of shapes [(2, 3)] for B=2, and must give arrays [B] by name",
        marks=fault("tasks", "a metric whose statistics aren't one number an example"),
    ),
    (
        {"metrics": {"mse": Collected(lambda outputs, batch: {"all": outputs.sum()}, lambda kept: 0.0, "min")}},
        "its metric 'mse' gives arrays of shapes [()] for B=2, and must give arrays [B, ...] by name",
    ),
    (
        {"metrics": {"mse": Additive(lambda outputs, batch: {}, lambda sums: np.zeros(2), "min")}},
        "its metric 'mse' gives arrays of shapes [] for B=2, and must give arrays [B] by name",
    ),
    (
        {"metrics": {"mse": Collected(lambda outputs, batch: {}, lambda kept: 0.0, "min")}},
        "its metric 'mse' gives arrays of shapes [] for B=2, and must give arrays [B, ...] by name",
    ),
    (
        {"loss": lambda outputs, batch: (outputs, batch["targets"])},
        "adding: its loss gives arrays of shapes [(2, 1), (2, 1)] for B=2, and must give (values [B], weights [B])",
    ),
]


@pytest.mark.parametrize(("fields", "said"), METRICS_AMISS, ids=[str(i) for i in range(len(METRICS_AMISS))])
def test_a_measure_that_does_not_fit_is_named_before_anything_trains(
    fields: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "changed", changed(**fields))
    plan = make_plan(experiment(CONFIG | {"task": {"name": "changed"}}))
    with pytest.raises(UserError) as caught:
        run_comparison(plan, tmp_path / "run", DataDirs())
    assert said in str(caught.value) and "\n" not in str(caught.value) and not (tmp_path / "run").exists()
    seen(caught)


def untyped(function: Any) -> Any:
    return function


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (
            Collected(lambda o, b: {"o": o}, untyped(lambda kept: kept["p"]), "min"),
            "score fails (test_kinds.py, line LINE: K",
        ),
        (Collected(lambda o, b: {"o": o}, untyped(lambda kept: kept["o"]), "min"), "score gives [array([["),
        (
            Collected(lambda o, b: {"o": o}, untyped(lambda kept: None), "min"),
            "score gives [None, None], and must give one num",
        ),
        (
            Additive(lambda o, b: {"o": o[:, 0]}, untyped(lambda sums: 1.0), "min"),
            "finish gives 1.0, and must give one number",
        ),
    ],
)
def test_a_metric_that_gives_no_number_is_named(
    metric: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "changed", changed(metrics={"mse": metric}))
    with pytest.raises(UserError) as caught:
        run_comparison(make_plan(experiment(CONFIG | {"task": {"name": "changed"}})), tmp_path / "run", DataDirs())
    found = re.sub(r"line \d+", "line LINE", str(caught.value))
    assert found.startswith(f"adding, mse: a metric's {said}") and "\n" not in found


def test_answers_are_for_tasks_that_generate_and_are_picked_in_a_way_that_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^metrics: mse of generated answers needs spec\.answers='generated', here 'last'$"
    ):
        changed(metrics={"mse": mean(of_answers, "min", of="answers")})()
    backwards = TASKS["backwards"]
    for answer, said in (
        ({"name": "gredy"}, "backwards: answer's name='gredy' is unknown; did you mean 'greedy'"),
        ({"name": "beam_search", "beems": 2}, "answer={'name': 'beam_search', 'beems': 2} can't be generated"),
        ({"name": "beam_search", "beams": 0}, "can't be generated (ValueError: beams=0 must be"),
        ({"name": "sample"}, "backwards: answer={'name': 'sample'} can't be generated (TypeError"),
    ):  # fmt: skip
        task = backwards(**{name: value for name, value in BACKWARDS.items() if name != "name"})
        object.__setattr__(task, "answer", answer)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(TASKS, "backwards", lambda task=task: task)
            plan = make_plan(of_kind("encoder_decoder", task={"name": "backwards"}))
            with pytest.raises(UserError) as caught:
                run_comparison(plan, tmp_path / "run", DataDirs())
        assert said in str(caught.value) and "\n" not in str(caught.value)


def test_answers_are_picked_as_the_task_says(monkeypatch: pytest.MonkeyPatch) -> None:
    second_best = pages.names("decoding.md", "second_best")["second_best"]
    monkeypatch.setitem(DECODERS, "second_best", second_best)  # the page's line
    plan = make_plan(of_kind("encoder_decoder"))
    model: Any = plan.cells[0].model
    params, batch = model.init(jax.random.key(0), plan.task.spec.example), plan.task.data.load(DataDirs())["test"]
    found = {}
    for answer in ({"name": "greedy"}, {"name": "second_best"}, {"name": "beam_search", "beams": 4}):
        task = dataclasses.replace(plan.task, answer=answer)
        found[answer["name"]] = generate(model, task, params, batch)
    limits = {"end": 2, "longest": 3}
    for name, answers in found.items():
        options = {"beams": 4} if name == "beam_search" else {}
        expected = DECODERS[name](model, params, batch, **limits, **options)
        np.testing.assert_array_equal(answers.tokens, expected.tokens)
    assert (found["greedy"].tokens[:, 0] != found["second_best"].tokens[:, 0]).all()
    assert (found["beam_search"].scores >= found["greedy"].scores - 1e-6).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sequence"])
def test_other_kinds_than_sequence_are_not_probed(kind: str) -> None:
    model = make_plan(of_kind(kind)).cells[0].model
    with pytest.raises(UserError) as caught:
        evaluation_hooks.check_fit("gradient_flow", {"gru": model}, ("inputs",))
    assert str(caught.value) == (
        "config.probes='gradient_flow': gru isn't a model of kind='sequence', through whose layers a gradient is "
        "followed"
    )


def test_options_are_recorded_whole() -> None:
    for kind, (_, options) in KINDS.items():
        found = make_plan(of_kind(kind)).config.model.options
        assert found.keys() == options_of(kind).keys() and {name: found[name] for name in options} == options
