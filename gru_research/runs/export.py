"""Exports a trained cell for other programs: its function by `jax.export`, its weights by safetensors.

The function takes the weights by dotted names, so that one function serves all seeds, and a batch by the names of the
task's example. Batch size and number of steps are free, as far as the model allows it.
"""

import contextlib
import dataclasses
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from gru_research.adapters.weights import save_safetensors
from gru_research.config import UserError, choose, to_mapping
from gru_research.lookup import describe_error
from gru_research.models import Model, no_generation
from gru_research.tasks import Generated, Task
from gru_research.tasks.input_encoders import BESIDE
from gru_research.training.evaluation import generate
from gru_research.types import Params

from . import export_texts
from .array_meanings import array_meanings, scaling
from .environment import environment
from .loaded_run import LoadedRun
from .predict import answer_of

PLATFORMS = ("cpu", "cuda", "tpu")
STEPS = {"inputs": "t", "mask": "t", "resets": "t", "targets": "u"}
"""The symbol of each array's first axis after the batch axis b."""


@dataclasses.dataclass(frozen=True)
class Function:
    """An exported function.

    Attributes:
      name: the name of its file.
      says: what it returns, in one sentence.
      inputs: shape and type of each array of the batch; a size is a number, or a symbol where it is free.
      limits: what had to be fixed, and why; empty where everything is free.
    """

    name: str
    says: str
    program: export.Exported
    inputs: Mapping[str, Any]
    limits: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        outputs = jax.tree.unflatten(self.program.out_tree, self.program.out_avals)
        return {
            "file": export_texts.FUNCTION.format(name=self.name),
            "says": self.says,
            "inputs": {name: _described(a) for name, a in by_name(self.inputs).items()},
            "outputs": {name or "outputs": _described(a) for name, a in by_name(outputs).items()},
            "platforms": list(self.program.platforms),
            "limits": list(self.limits),
        }


def write(run: LoadedRun, cell: str, folder: Path, seed: int | None = None) -> dict[str, Any]:
    """Writes a cell's functions and its weights, of one seed or of all, with a README and an example program.

    Returns:
      The content of `export.json`.

    Raises:
      UserError: there is no such cell or seed, the folder holds something else, the model can't be exported, or a
        package is missing.
    """
    check_packages()
    choose("--cell", cell, run.cells)
    seeds = run.seeds(cell) if seed is None else (choose("--seed", seed, run.seeds(cell)),)
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / export_texts.ABOUT).is_file())
    ):
        raise UserError(f"output={str(folder)!r} holds something else: choose another")
    params = {seed: run.parameters(cell, seed) for seed in seeds}
    answered = dataclasses.replace(run.task, answer=answer_of(run, cell))
    functions = export_functions(run.model(cell), answered, params[seeds[0]], f"{cell}: its model")
    about = _about(run, cell, seeds, functions)
    folder.mkdir(parents=True, exist_ok=True)
    for old in (
        *folder.glob(export_texts.FUNCTION.format(name="*")),
        *folder.glob(export_texts.WEIGHTS.format(seed="*")),
    ):
        old.unlink()  # an earlier export may have other seeds and functions
    for function in functions:
        (folder / export_texts.FUNCTION.format(name=function.name)).write_bytes(function.program.serialize())
    for number, own in params.items():
        path = folder / export_texts.WEIGHTS.format(seed=number)
        save_safetensors(by_name(own), path, metadata=_metadata(run, cell, number, about))
    export_texts.write_texts(folder, about)
    return about


def check_packages() -> None:
    """Raises UserError where a package that the export needs is missing."""
    missing = [name for name in ("flatbuffers", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"exporting needs {' and '.join(missing)}: pip install 'gru_research[export]'")


def by_name(params: Params) -> dict[str, Any]:
    """Returns the arrays of a pytree by dotted path. Raises ValueError where two arrays have one name."""
    found: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if name in found:
            raise ValueError(f"two parameters are called {name!r}, one of them by a name with a dot in it")
        found[name] = leaf
    return found


def export_functions(model: Model, task: Task, params: Params, what: str) -> tuple[Function, ...]:
    """Exports `apply`, `answer` where answers are generated, and `start` and `step` of a model that can generate.

    Raises UserError, whose message begins with `what`.
    """
    names, structure = list(by_name(params)), jax.tree.structure(params)
    weights = jax.eval_shape(lambda: by_name(params))

    def whole(weights: Mapping[str, Any]) -> Params:
        return jax.tree.unflatten(structure, [weights[name] for name in names])

    def apply(weights: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        return model.apply(whole(weights), batch)

    def answer(weights: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        return generate(model, task, whole(weights), batch)._asdict()

    example, generates = example_of(task), task.spec.generation is not None
    asked = {name: a for name, a in example.items() if name not in ("targets", "target_lengths")}
    says = "the logits of each target from those before it" if generates else "the model's outputs, batch first"
    made = [_exported("apply", says, apply, weights, lambda steps: _inputs(example, steps), what)]
    if generates:
        says = "the answers: their tokens, how many of them count, and their scores"
        made.append(_exported("answer", says, answer, weights, lambda steps: _inputs(asked, steps), what))
    if no_generation(model) is None:
        made += _by_token(model, whole, weights, asked, what)
    return tuple(made)


def _by_token(
    model: Any, whole: Callable[[Any], Params], weights: Mapping[str, Any], asked: Mapping[str, Any], what: str
) -> list[Function]:
    """Exports `start` and `step`. The state is a dict of arrays, which `step` takes with the tokens."""

    def read(made: tuple[Any, Any]) -> dict[str, Any]:
        return {"logits": made[1], "state": by_name(made[0])}

    def start(weights: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        return read(model.start(whole(weights), batch))

    says = "the logits of the next token, and the state, after the inputs"
    begins = _exported("start", says, start, weights, lambda steps: _inputs(asked, steps), what)
    state = jax.eval_shape(lambda *given: model.start(whole(given[0]), given[1])[0], weights, begins.inputs)
    names, structure = list(by_name(state)), jax.tree.structure(state)

    def step(weights: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        state = jax.tree.unflatten(structure, [batch["state"][name] for name in names])
        return read(model.step(whole(weights), state, batch["tokens"]))

    def after_start(any_steps: bool) -> dict[str, Any]:
        batch = _inputs(asked, any_steps)
        rows = next(iter(batch.values())).shape[0]
        return {
            "tokens": jax.ShapeDtypeStruct((rows,), np.int32),
            "state": jax.eval_shape(start, weights, batch)["state"],
        }

    says = "the same after one more token for each row"
    return [begins, _exported("step", says, step, weights, after_start, what)]


def example_of(task: Task) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns shapes and types of one example as the model sees it: the task's spec and the arrays of `BESIDE`."""
    example, beside = dict(task.spec.example), {}
    data = task.data
    if isinstance(data, Generated):
        made = jax.eval_shape(lambda key: data.make(key, 1), jax.random.key(0))
        beside = {name: jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for name, a in made.items()}
    elif "inputs" in example:
        with contextlib.suppress(ValueError, TypeError):  # raw input has another form, such as text
            beside = task.encode(np.zeros(example["inputs"].shape, example["inputs"].dtype))
    return example | {name: jax.ShapeDtypeStruct(a.shape, a.dtype) for name, a in beside.items() if name in BESIDE}


def _exported(
    name: str,
    says: str,
    function: Callable[..., Any],
    weights: Mapping[str, Any],
    inputs_of: Callable[[bool], Mapping[str, Any]],
    what: str,
) -> Function:
    """Exports a function with every size and platform free, or with as few as possible fixed."""
    limits: dict[str, str] = {}
    for steps, platforms in ((True, PLATFORMS), (False, PLATFORMS), (False, (jax.default_backend(),))):
        try:
            inputs = inputs_of(steps)
            program = export.export(jax.jit(function), platforms=platforms)(weights, inputs)
        except Exception as e:  # a user's model may raise anything for a symbolic size
            limits["the number of steps" if steps else "the platform"] = describe_error(e)
            continue
        fixed = [limit for limit in limits if limit == "the number of steps" or len(platforms) == 1]
        return Function(name, says, program, inputs, tuple(f"{limit} is fixed: {limits[limit]}" for limit in fixed))
    raise UserError(f"{what} can't be exported ({limits['the platform']})")


def _inputs(example: Mapping[str, Any], any_steps: bool) -> dict[str, jax.ShapeDtypeStruct]:
    sizes = dict(zip("btu", export.symbolic_shape("b, t, u"), strict=True))
    inputs = {}
    for name, a in example.items():
        shape = tuple(a.shape)
        if any_steps and shape and name in STEPS:
            shape = (sizes[STEPS[name]], *shape[1:])
        inputs[name] = jax.ShapeDtypeStruct((sizes["b"], *shape), a.dtype)
    return inputs


def _described(array: Any) -> dict[str, Any]:
    sizes = [size if isinstance(size, int) else str(size) for size in array.shape]
    return {"shape": sizes, "dtype": array.dtype.name}


def _about(run: LoadedRun, cell: str, seeds: Sequence[int], functions: Sequence[Function]) -> dict[str, Any]:
    task, env = run.task, environment()
    return {
        "schema": "gru_research.export/1",
        "task": task.name,
        "cell": cell,
        "seeds": list(seeds),
        "diverged": _diverged(run, cell, seeds),
        "finished": run.finished,
        "weights": {str(seed): export_texts.WEIGHTS.format(seed=seed) for seed in seeds},
        "functions": {function.name: function.describe() for function in functions},
        "meaning": array_meanings(task),
        "scaling": scaling(task.learned),
        "learned": dict(task.learned),
        "vocabularies": {name: list(words) for name, words in task.vocabularies.items()},
        "run": str(run.workdir),
        "versions": env["versions"],
        "config": to_mapping(run.config),
    }


def _diverged(run: LoadedRun, cell: str, seeds: Sequence[int]) -> list[int]:
    """Returns the diverged seeds, whose parameters are the last finite ones."""
    found = run.records("result")
    rows = zip(*(found.get(name, ()) for name in ("cell", "seed", "diverged_at")), strict=True)
    return [seed for label, seed, at in rows if label == cell and seed in seeds and at is not None]


def _metadata(run: LoadedRun, cell: str, seed: int, about: Mapping[str, Any]) -> dict[str, str]:
    """Returns the metadata of a file of weights. safetensors allows only strings."""
    return {
        "task": run.task.name,
        "cell": cell,
        "seed": str(seed),
        "config": json.dumps(about["config"]),
        "versions": json.dumps(about["versions"]),
    }
