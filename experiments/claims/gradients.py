"""Claim: gradients vanish in a vanilla RNN, and gates keep them alive."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import gru_research as gr
from experiments.claims.context import ClaimContext, check_against, folder
from experiments.diagnosis import flow, gate_panels, layer_trace
from gru_research.analysis import gradient_flow
from gru_research.config import split_names
from gru_research.plural import several
from gru_research.report import exhibits, formatting, over_seeds
from gru_research.report.claims.findings import Finding, Verdict
from gru_research.report.gradient_flow import NORM, along_training
from gru_research.runs import trained
from gru_research.training import Plan, evaluation_hooks

CLAIM = "Gradients vanish in a vanilla RNN, and a GRU's gates keep them alive."


@dataclasses.dataclass(frozen=True)
class Gradients:
    """Measures the gradient at the first step, before and after training, for every cell of a run.

    Attributes:
      run: the name of the run.
      gru, vanilla: label of the claim's GRU; labels of the vanilla RNNs, separated by commas.
      alive: the fraction of the gradient that must be left at the first step.
      examples: the number of validation sequences.
      biases: update biases at which an untrained GRU is measured.
      input_scales: factors on the input weights of an untrained tanh RNN with an orthogonal recurrent kernel.
    """

    run: str
    gru: str
    vanilla: str
    alive: float = 1e-3
    examples: int = 16
    biases: tuple[float, ...] = (0, 1, 2, 3, 4, 5, 6)
    input_scales: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1, 3)

    def __post_init__(self) -> None:
        if not 0 < self.alive < 1:
            raise ValueError(f"alive={self.alive!r} must be above 0 and below 1")
        if self.examples < 1:
            raise ValueError(f"examples={self.examples!r} must be at least 1")
        if not all(scale > 0 for scale in self.input_scales):
            raise ValueError(f"input_scales={self.input_scales!r} must all be above 0")

    @property
    def runs(self) -> tuple[str, ...]:
        return (self.run,)

    @property
    def vanilla_labels(self) -> tuple[str, ...]:
        return split_names(self.vanilla)

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        check_against(plans, path, self.run, self.gru, self.vanilla_labels)

    def find(self, context: ClaimContext, name: str) -> Finding:
        run = context.followed(self.run)
        context.say("gradients: following them back")
        flows = {cell.label: flow.measure(run, cell, self.examples) for cell in run.cells}
        length, _ = flow.shape(flows)
        floor = math.log10(self.alive)
        alive = {label: {when: bool(over_seeds.median(of.at_end) >= floor) for when, of in whens.items()}
                 for label, whens in flows.items()}  # fmt: skip
        shown: list[exhibits.Exhibit] = [flow.curves(flows), flow.table(flows)]
        if self.biases:
            size = run.cell(self.gru).plan.hidden_size
            shown.append(_biases(self._untrained(run, gr.GRU(size), self.biases, _with_update_bias), length))
        if self.input_scales:
            rnn = gr.VanillaRNN(run.cell(self.vanilla_labels[0]).plan.hidden_size, recurrent_init="orthogonal")
            shown.append(_scales(self._untrained(run, rnn, self.input_scales, _with_input_scale), length))
        if found := [record for record in run.records.probes if record.name == "gradient_flow"]:
            shown.append(along_training(found, [cell.label for cell in run.cells]))
        config = run.plan.config
        return Finding(
            name=name,
            claim=CLAIM,
            ran=(
                f"{several(len(run.cells), 'cell')} of about {run.cells[0].plan.parameters:,} parameters, "
                f"{several(config.seeds, 'seed')} each, on {run.plan.task.name} with {length} steps, "
                f"{config.updates:,} updates of {config.batch_size} sequences. "
                "The gradient of the loss by the whole carry (for an LSTM of h and "
                f"c), against the lag, with norm 1 at the last output; the median over {self.examples} sequences, "
                "then over seeds, with its 95 % interval."
            ),
            rule=(
                f"A gradient is alive if its median at lag {length} is at least {self.alive:g}. The claim holds if the "
                "default GRU's is alive before training and no vanilla RNN's is alive before or after it. It doesn't "
                "hold if no gated cell's is ever alive. Otherwise the verdict is: holds when."
            ),
            verdict=verdict(alive, self.gru, self.vanilla_labels),
            says=_says(flows, alive, length, self.gru, self.vanilla_labels),
            shown=tuple(shown),
            runs=(folder(self.run),),
            left="More units, seeds and updates.",
        )

    def _untrained(
        self, run: trained.FinishedRun, cell: gr.Cell, values: Sequence[float], change: Callable[[Any, jax.Array], Any]
    ) -> Mapping[float, np.ndarray]:
        """Returns log10 of the gradient at the first step of untrained cells, `[S]` for each of `values`.

        `change` applies a value to the parameters.
        """
        first = run.cell(self.gru)
        xs = evaluation_hooks.inputs_of(
            first.model, layer_trace.one_seed(first.initial, 0), run.validation(self.examples)
        )

        def one(key: jax.Array, value: jax.Array) -> jax.Array:
            params = change(cell.init(key, xs.shape[-1]), value)
            return jnp.median(gradient_flow(cell, params, xs, key=key)[:, -1])

        keys = jax.random.split(jax.random.key(0), len(first.seeds))
        program = jax.jit(lambda value: lax.map(lambda key: one(key, value), keys))
        return {value: np.asarray(program(float(value))) / np.log(10) for value in values}


def _with_update_bias(params: Mapping[str, jax.Array], bias: jax.Array) -> dict[str, jax.Array]:
    return {**params, "b_z": params["b_z"] + bias}


def _with_input_scale(params: Mapping[str, jax.Array], scale: jax.Array) -> dict[str, jax.Array]:
    return {**params, "W_h": params["W_h"] * scale}


def verdict(alive: Mapping[str, Mapping[str, bool]], gru: str, vanilla: Sequence[str]) -> Verdict:
    """Returns the verdict. `alive`: whether a cell's gradient is alive, by label and time, one of `flow.WHEN`."""
    gated = [label for label in alive if label not in vanilla]
    if not any(any(alive[label].values()) for label in gated):
        return "doesn't hold"
    if alive[gru]["before"] and not any(any(alive[label].values()) for label in vanilla):
        return "holds"
    return "holds when"


def _says(
    flows: flow.Flows, alive: Mapping[str, Mapping[str, bool]], length: int, gru: str, vanilla: Sequence[str]
) -> str:
    before = ", ".join(f"{gate_panels.plain_label(label)} {flow.power(of['before'])}" for label, of in flows.items())
    kept = {when: [gate_panels.plain_label(label) for label in alive if alive[label][when]] for when in flow.WHEN}
    text = (
        f"At lag {length}, before training, the median gradient is: {before}. Alive before training: "
        f"{', '.join(kept['before']) or 'none'}; after it: {', '.join(kept['after']) or 'none'}."
    )
    if not alive[gru]["before"]:
        text += " Gates by themselves don't keep a gradient: how much of the state a step keeps does, whatever keeps it"
        ungated = [gate_panels.plain_label(label) for label in vanilla if alive[label]["before"]]
        text += f", in {', '.join(ungated)} no gate at all." if ungated else "."
    return text


def _biases(biased: Mapping[float, np.ndarray], length: int) -> exhibits.Plot:
    x = tuple(map(float, biased))
    measured = over_seeds.line("untrained GRU, measured", 0, x, np.stack(list(biased.values()), -1))
    kept = [-length * math.log10(1 + math.exp(-bias)) for bias in biased]
    expected = exhibits.Line(f"sigmoid(bias)^{length}", 1, x, exhibits.numbers(kept))
    words = exhibits.Words(
        "What keeps a gradient: the update gate's bias",
        f"Gradient norm at lag {length} of untrained GRUs against the bias of the update gate, from "
        f"{formatting.power(measured.y[0] or 0.0)} upwards, beside sigmoid(bias) to the power "
        f"{length}.",
        f"An untrained GRU keeps about sigmoid(bias) of its state in a step, so sigmoid(bias)^{length} of a gradient; "
        "the candidate's path adds to it. At the default bias of 0 a gate forgets half of the state a step, whatever "
        "the rest.",
    )
    panel = exhibits.Panel("", (measured, expected), exhibits.Axis("bias of the update gate"), NORM)
    return exhibits.Plot("biases", words, (panel,))


def _scales(scaled: Mapping[float, np.ndarray], length: int) -> exhibits.Plot:
    x = tuple(map(float, scaled))
    measured = over_seeds.line("untrained tanh RNN", 0, x, np.stack(list(scaled.values()), -1))
    ends = " to ".join(formatting.power(measured.y[place] or 0.0) for place in (0, -1))
    words = exhibits.Words(
        "What keeps a gradient without a gate: the size of the inputs",
        f"Gradient norm at lag {length} of untrained tanh RNNs with an orthogonal recurrent kernel against the factor "
        f"on their input weights, from {x[0]:g} to {x[-1]:g}: {ends}.",
        "The recurrent kernel keeps every norm, and the tanh loses what its derivative 1 - h^2 lacks to 1: the larger "
        "the inputs, the larger h, the more is lost a step. So an orthogonal start alone promises nothing.",
    )
    panel = exhibits.Panel("", (measured,), exhibits.Axis("factor on the input weights", "log"), NORM)
    return exhibits.Plot("input_scales", words, (panel,))
