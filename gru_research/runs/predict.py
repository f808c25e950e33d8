"""Predicts the answers of a trained run's cells to raw inputs. The test set is not used."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gru_research import records
from gru_research.config import UserError, choose
from gru_research.decoding import Answers, greedy, sample
from gru_research.lookup import describe_error
from gru_research.models import Model, no_generation
from gru_research.tasks import Task
from gru_research.tasks.output_decoders import Averaged
from gru_research.training.evaluation import generate
from gru_research.types import Array, Batch, Params, PRNGKey

BATCH = 256
ALONG_TIME = ("inputs", "mask", "resets", "said")
"""The arrays of an example whose first axis is the time of the inputs."""
Example = Mapping[str, np.ndarray]


class AnyRun(Protocol):
    """What a prediction reads of a run, such as a `LoadedRun`."""

    cells: Any  # labels

    @property
    def task(self) -> Task: ...
    def seeds(self, cell: str) -> Sequence[int]: ...
    def records(self, kind: str) -> Mapping[str, Sequence[Any]]: ...
    def model(self, cell: str) -> Model: ...
    def parameters(self, cell: str, seed: int | None = None) -> Params: ...


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A prediction for one input.

    Attributes:
      input: the raw input.
      cell, seed: the cell and the seed that predicted; for an ensemble the seed is None.
      answer: the output after the task's `decode`, a plain JSON value.
    """

    input: Any
    cell: str
    seed: int | None
    answer: Any


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Options for answers that a model generates after its input, such as the continuation of a text.

    Attributes:
      length: the number of tokens to generate; at most this where the task has a token that ends an answer.
      temperature: 0 takes the most probable token at every step; above 0 tokens are drawn, see `decoding.sample`.
      top_k, top_p: draw from the `top_k` most probable tokens (0: all), and from the most probable ones that together
        reach the probability `top_p`.
      random_seed: the seed of the draws. An input's noise depends only on this seed and the input's index.
      answer: how answers are generated at temperature 0, a name of `decoding.DECODERS` and its options; None: as the
        cell's test set was answered.
    """

    length: int = 200
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    random_seed: int = 0
    answer: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.length < 1:
            raise UserError(f"length={self.length!r} must be at least 1")
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"temperature={self.temperature!r} must be 0 or more, and finite")
        if self.top_k < 0:
            raise UserError(f"top_k={self.top_k!r} must be 0 (all tokens) or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p={self.top_p!r} must be above 0 and at most 1")
        if not 0 <= self.random_seed < 2**32:
            raise UserError(f"random_seed={self.random_seed!r} must be from 0 to {2**32 - 1}")


def sampling_of(task: Task, **given: Any) -> Sampling:
    """Returns the task's defaults, overridden by the options that are `given` and not None. Raises UserError."""
    own = {} if task.application is None else dict(task.application.sampling)
    return Sampling(**own | {name: value for name, value in given.items() if value is not None})


def predict(
    run: AnyRun,
    inputs: Iterable[Any],
    cells: Sequence[str] | str | None = None,
    seeds: Sequence[int] | int | Literal["all"] | None = None,
    ensemble: bool = False,
    *,
    batch_size: int = BATCH,
    sampling: Sampling | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Prediction]:
    """Predicts the answers of a run's cells to raw inputs.

    Args:
      inputs: what the task's `encode` takes; each is a text, an array `[T, I]`, or a dict of arrays.
      cells: one label or several; None: all.
      seeds: the seeds whose parameters are used, or "all"; None: each cell's `best_seed`, or all for an ensemble.
      ensemble: whether all seeds give one answer: the mean of class probabilities or of numbers. Diverged seeds are
        left out unless they are named. Generated answers and continuations have no ensemble.
      batch_size: the number of inputs computed at once. Inputs of one shape are batched. Inputs whose example has
        `lengths` or a `mask` are padded to the length of training, or to a power of two times it.
      sampling: options for tasks whose answers are generated after their inputs; None: the task's defaults.
      progress: called with the number of answers so far and the total.

    Returns:
      For each input, in order, the answers of each cell and seed.

    Raises:
      UserError: the task can't read an input (the message has its index from 1), there is no such cell or seed, the
        model can't generate, or an ensemble isn't possible.
    """
    if isinstance(inputs, str | Mapping):
        raise UserError(f"inputs={inputs!r} must be a list of inputs")
    if batch_size < 1:
        raise UserError(f"batch_size={batch_size!r} must be at least 1")
    asked = list(_asked(run, cells, seeds, ensemble))
    sampling = sampling or sampling_of(run.task)
    raw = list(inputs)
    groups = _groups([_encoded(run.task, given, n) for n, given in enumerate(raw)], run.task)
    found: dict[tuple[int, str, int | None], Any] = {}
    total = len(raw) * sum(1 if ensemble else len(numbers) for _, numbers in asked)
    for cell, numbers in asked:
        program = _program(run, cell, sampling)
        members = [run.parameters(cell, number) for number in numbers]
        for places, batch, steps in _batches(groups, batch_size):
            keys = _keys(sampling, places, len(batch["inputs"]))
            outputs = [jax.device_get(program(params, batch, keys)) for params in members]
            for row, place in enumerate(places):
                each = [_row(output, row, steps[row], run.task) for output in outputs]
                if ensemble:
                    found[place, cell, None] = _said(run.task, _mean(run.task, each))
                    continue
                found |= {(place, cell, n): _said(run.task, one) for n, one in zip(numbers, each, strict=True)}
            if progress is not None:
                progress(len(found), total)
    return [
        Prediction(given, cell, number, found[place, cell, number])
        for place, given in enumerate(raw)
        for cell, numbers in asked
        for number in ([None] if ensemble else numbers)
    ]


def best_seed(run: AnyRun, cell: str) -> int:
    """Returns the seed with the best validation metric among a cell's seeds that didn't diverge, or the first without
    such records. The metric is from the tested parameters or, for an unfinished cell, the last evaluation."""
    sign = 1 if run.task.validation_direction == "min" else -1
    of_seeds = _validated(run, cell).items()
    ranks = {seed: sign * value for seed, (value, diverged) in of_seeds if value is not None and not diverged}
    return min(ranks, key=lambda seed: ranks[seed], default=run.seeds(cell)[0])


def answer_of(run: AnyRun, cell: str) -> Mapping[str, Any]:
    """Returns how the answers to a cell's test set were generated."""
    found = run.records("result")  # nested fields have dotted names
    options = {name.removeprefix("answer."): values for name, values in found.items() if name.startswith("answer.")}
    for place, label in enumerate(found.get("cell", ())):
        answer = {name: values[place] for name, values in options.items() if values[place] is not None}
        if label == cell and answer:
            return answer
    return run.task.answer


def _validated(run: AnyRun, cell: str) -> dict[int, tuple[float | None, bool]]:
    """Returns each seed's validation metric, and whether the seed diverged."""
    found: dict[int, tuple[float | None, bool]] = {}
    for kind in ("result", "evaluation"):
        columns = [run.records(kind).get(name, ()) for name in ("cell", "seed", "validation_metric", "diverged_at")]
        for label, seed, value, diverged_at in zip(*columns, strict=True):
            if label == cell:
                found[seed] = value, diverged_at is not None
        if found:
            break
    return found


def _asked(
    run: AnyRun, cells: Sequence[str] | str | None, seeds: Sequence[int] | int | Literal["all"] | None, ensemble: bool
) -> Iterator[tuple[str, list[int]]]:
    """Yields each requested cell with its seeds. Raises UserError for an unknown cell or seed."""
    if not run.cells:
        raise UserError("the run has no parameters: none of its cells was trained, or its checkpoints are gone")
    if ensemble:
        _check_ensemble(run.task)
    if isinstance(seeds, Integral):  # NumPy's too
        seeds = [int(seeds)]
    elif (isinstance(seeds, str) and seeds != "all") or not isinstance(seeds, Iterable | None):
        raise UserError(f'seeds={seeds!r} must be whole numbers, or "all"')
    for cell in run.cells if cells is None else [cells] if isinstance(cells, str) else cells:
        choose("cell", cell, run.cells)
        known = list(run.seeds(cell))
        if seeds is None and not ensemble:
            yield cell, [best_seed(run, cell)]
        elif seeds is None or isinstance(seeds, str):
            diverged = {seed for seed, (_, diverged) in _validated(run, cell).items() if diverged and ensemble}
            yield cell, [seed for seed in known if seed not in diverged] or known
        else:
            yield cell, [choose("seed", seed, known) for seed in seeds]


def _check_ensemble(task: Task) -> None:
    if task.samples or task.spec.generation is not None:
        raise UserError(f"ensemble: {task.name} has generated answers, of which there is no mean; choose seeds instead")
    if not isinstance(task.decode, Averaged):
        raise UserError(f"ensemble: {task.name}'s decode has no `mean`, see tasks/output_decoders.py; choose seeds")


def _encoded(task: Task, given: Any, place: int) -> Example:
    try:
        return {name: np.asarray(a) for name, a in task.encode(given).items()}
    except (ValueError, TypeError) as e:
        raise UserError(f"input {place + 1}: {e}") from e
    except Exception as e:  # a user's task may raise anything; the user sees it
        raise UserError(f"input {place + 1}: {task.name}'s encode fails ({describe_error(e)})") from e


def _said(task: Task, output: Any) -> Any:
    try:
        return records.to_json(task.decode(output))
    except Exception as e:  # a user's task may raise anything; the user sees it
        raise UserError(f"{task.name}'s decode fails ({describe_error(e)})") from e


Groups = Mapping[Any, Sequence[tuple[int, Example, int]]]
"""By shapes: examples with their indices and their numbers of steps before padding."""


def _groups(examples: Sequence[Example], task: Task) -> Groups:
    groups: dict[Any, list[tuple[int, Example, int]]] = {}
    for place, example in enumerate(examples):
        steps = len(example["inputs"])
        filled = _padded(example, task)
        key = tuple((name, a.shape, a.dtype) for name, a in sorted(filled.items()))
        groups.setdefault(key, []).append((place, filled, steps))
    return groups


def _padded(example: Example, task: Task) -> Example:
    """Pads an example that has `lengths` or a `mask`. Fewer lengths need fewer compiled programs."""
    if not {"lengths", "mask"} & set(example):
        return example
    length, steps = len(example["inputs"]), task.spec.example["inputs"].shape[0]
    while steps < length:
        steps *= 2
    return {
        name: np.pad(a, [(0, steps - length)] + [(0, 0)] * (a.ndim - 1)) if name in ALONG_TIME else a
        for name, a in example.items()
    }


def _batches(groups: Groups, size: int) -> Iterator[tuple[list[int], dict[str, np.ndarray], list[int]]]:
    """Yields indices, a batch and its rows' numbers of steps. All batches of a group have the same number of rows:
    copies of the last row, which have no index, fill them up."""
    for group in groups.values():
        rows = min(size, len(group))
        for start in range(0, len(group), rows):
            part = group[start : start + rows]
            filled = [example for _, example, _ in part] + [part[-1][1]] * (rows - len(part))
            batch = {name: np.stack([example[name] for example in filled]) for name in filled[0]}
            yield [place for place, _, _ in part], batch, [steps for _, _, steps in part]


def _program(run: AnyRun, cell: str, sampling: Sampling) -> Callable[[Params, Batch, PRNGKey], Any]:
    """Returns `(params, batch, keys [B]) -> outputs`, compiled once for each shape."""
    task, model = run.task, run.model(cell)
    chosen = sampling.answer or answer_of(run, cell)
    task, sampling = dataclasses.replace(task, answer=chosen), dataclasses.replace(sampling, answer=chosen)
    if (task.samples or task.spec.generation is not None) and (reason := no_generation(model)):
        raise UserError(f"{cell} can't generate the answer that {task.name} asks for: its model {reason}")
    if task.application is not None and task.application.generate is not None:
        generated = task.application.generate
        return jax.jit(lambda params, batch, keys: generated(model, params, batch, keys, sampling))
    if task.continues:
        return jax.jit(partial(_continue, model, task, sampling))
    if task.spec.generation is not None:
        return jax.jit(lambda params, batch, keys: generate(model, task, params, batch))
    return jax.jit(lambda params, batch, keys: model.apply(params, batch))


def _continue(model: Any, task: Task, how: Sampling, params: Params, batch: Batch, keys: PRNGKey) -> Array:
    """Returns the tokens `[B, N]` that follow each row."""
    end = None if task.spec.generation is None else task.spec.generation.end
    if how.temperature == 0:
        return greedy(model, params, batch, end=end, longest=how.length).tokens
    drawn = sample(
        model, params, batch, keys, end=end, longest=how.length, temperature=how.temperature, top_k=how.top_k,
        top_p=how.top_p,
    )  # fmt: skip
    return drawn.tokens


def _keys(sampling: Sampling, places: Sequence[int], rows: int) -> PRNGKey:
    """Returns one key for each row, which depends only on the row's index among the inputs."""
    filled = [*places, *[0] * (rows - len(places))]
    key = jax.random.key(sampling.random_seed)
    return jax.vmap(partial(jax.random.fold_in, key))(jnp.asarray(filled, jnp.uint32))


def _row(output: Any, row: int, steps: int, task: Task) -> Any:
    """Returns one example's output, without padding."""
    if isinstance(output, Answers):
        return Answers(*(a[row] for a in output))
    one = jax.tree.map(lambda a: a[row], output)
    own = task.application is not None and task.application.generate is not None
    every = task.spec.answers == "every" and not task.continues and not own
    return jax.tree.map(lambda a: a[:steps], one) if every else one


def _mean(task: Task, outputs: Sequence[Any]) -> Any:
    form: Any = task.decode
    return form.mean(jax.tree.map(lambda *each: np.stack(each), *outputs))
