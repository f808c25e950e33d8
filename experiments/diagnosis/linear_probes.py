"""Linear probes of a trained layer and costs of holding its parts: numbers, figures and tables."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.diagnosis import layer_trace
from gru_research.analysis import Probe, linear_probe, separation, timescales
from gru_research.cells.gate_roles import kept_share
from gru_research.report import exhibits, formatting, over_seeds
from gru_research.runs import trained
from gru_research.tables import Column, Table, tabulate
from gru_research.tasks import Task
from gru_research.types import Batch, Params

_RANKED = 10
LEAST = 5
"""The smallest number of sequences for a probe."""


@dataclasses.dataclass(frozen=True)
class ProbedLayer:
    """A layer of all seeds at one time of training.

    Attributes:
      trace: gates and outputs.
      probes: by latent quantity, one a seed.
      areas: for quantities that are 0 or 1 at each step, by name and then by gate: the area under the curve of the
        unit that tells best, either way round, `[S]`.
      timescales: of each unit, from the share of its state that a step keeps, `[S, H]`; None where the cell names none.
    """

    trace: layer_trace.LayerTrace
    probes: Mapping[str, tuple[Probe, ...]]
    areas: Mapping[str, Mapping[str, np.ndarray]]
    timescales: np.ndarray | None

    def whole(self, quantity: str) -> np.ndarray:
        """Returns R^2 from the whole state, `[S]`."""
        return np.array([probe.r2 for probe in self.probes[quantity]])

    def units(self, quantity: str) -> np.ndarray:
        """Returns R^2 from each unit alone, `[S, H]`."""
        return np.stack([probe.r2_units for probe in self.probes[quantity]])


def is_binary(values: np.ndarray) -> bool:
    """Whether a quantity is 0 or 1 at each step."""
    return set(np.unique(values)) == {0.0, 1.0}


def probe_layer(
    cell: trained.TrainedCell, params: Params, batch: Batch, latents: Mapping[str, np.ndarray], layer: int = 0
) -> ProbedLayer:
    """Probes a layer's states and gates for the latent quantities `[B, T]`."""
    trace = layer_trace.trace_layer(cell, params, batch, layer)
    probes = {name: tuple(linear_probe(states, values) for states in trace.states) for name, values in latents.items()}
    areas: dict[str, dict[str, np.ndarray]] = {}
    for name, values in latents.items():
        if is_binary(values):
            each = {gate: np.array([separation(of_seed, values) for of_seed in of]) for gate, of in trace.gates.items()}
            areas[name] = {gate: np.maximum(area, 1 - area).max(-1) for gate, area in each.items()}
    kept = kept_share(trace.cell, trace.gates)
    steps = None if kept is None else np.stack([timescales(of_seed) for of_seed in kept])
    return ProbedLayer(trace, probes, areas, steps)


def table(found: Mapping[str, ProbedLayer], seeds: int) -> Table:
    """Tabulates the probes' results, one column per time of training."""
    some = next(iter(found.values()))
    rows: list[tuple[str, list[np.ndarray], str]] = []
    for name in some.probes:
        rows.append((f"{name} from the whole state, R^2", [of.whole(name) for of in found.values()], ".3f"))
        rows.append((f"{name} from the best unit, R^2", [of.units(name).max(-1) for of in found.values()], ".3f"))
    for name, by_gate in some.areas.items():
        for gate in by_gate:
            what = f"{name} from the {some.trace.title(gate)} of one unit, area"
            rows.append((what, [of.areas[name][gate] for of in found.values()], ".3f"))
    if some.timescales is not None:
        for what, take in (("median", np.median), ("slowest", np.max)):
            values = [take(of.timescales, axis=-1) for of in found.values()]  # type: ignore[call-overload]
            rows.append((f"timescale of the {what} unit, steps", values, ".3g"))
    columns = [Column("what is read", lambda what, values, digits: what, "left")]
    for i, when in enumerate(found):
        columns.append(Column(f"{when} training", lambda what, values, digits, i=i: _text(values[i], digits)))
    return tabulate(columns, rows, f"What can be read: {over_seeds.shown(seeds)}")


def _text(values: np.ndarray, digits: str) -> str:
    return over_seeds.text(values, lambda value: f"{value:{digits}}")


def ranking(name: str, found: ProbedLayer, quantity: str, seed: int) -> exhibits.Dots:
    """Plots the units of one seed that carry most of a quantity."""
    probe = found.probes[quantity][seed]
    best = probe.ranking[:_RANKED].tolist()
    rows = [exhibits.dot(f"unit {unit}", (probe.r2_units[unit], np.nan, np.nan)) for unit in best]
    words = exhibits.Words(
        f"Units ranked by what they carry of the {quantity}",
        "; ".join(f"{row.label} {formatting.number(row.value, 3)}" for row in rows),
        "R^2 of each unit alone, on sequences held out from the fit. The line is the whole state's R^2: if no unit "
        "comes near it, the quantity is spread over many units.",
    )
    axis = exhibits.Axis("R^2 of one unit", references=exhibits.level(float(probe.r2)))
    return exhibits.Dots(name, words, tuple(rows), axis)


@dataclasses.dataclass(frozen=True)
class InterventionCosts:
    """The task's metric with nothing held, `[S]`, and with one part held, `[S]` by the part's name."""

    metric: str
    direction: str
    plain: np.ndarray
    held: Mapping[str, np.ndarray]

    def of(self, what: str) -> np.ndarray:
        """Returns the cost of holding a part, `[S]`: the factor on an error, or the fall of an accuracy."""
        return self.held[what] / self.plain if self.direction == "min" else self.plain - self.held[what]


def intervention_costs(
    cell: trained.TrainedCell,
    batch: Batch,
    task: Task,
    found: ProbedLayer,
    carried: str | None,
    marks: tuple[str, np.ndarray] | None = None,
    layer: int = 0,
) -> InterventionCosts:
    """Each gate at its mean, one a unit, and at 1; and the unit that carries most of a quantity at its mean.

    `marks` are a name and `[B, T]`: each gate is then held at its mean at the marked steps alone, and at all others,
    where the layer reads the inputs themselves.
    """
    held: dict[str, np.ndarray] = {}
    parts: dict[str, np.ndarray] = {}
    if marks is not None and layer == 0 and cell.model.embedding is None:
        parts = {f"at a {marks[0]}": marks[1] > 0, "elsewhere": ~(marks[1] > 0)}
    for gate in found.trace.proper:
        name, mean = found.trace.title(gate), found.trace.gates[gate].mean((1, 2))

        def fixed(change: Mapping[str, Any], gate: str = gate) -> Mapping[str, Any]:
            return {"fixed": {gate: change["value"]}}

        whole = {"value": np.stack([mean, np.ones_like(mean)], 1)}
        at_mean, at_1 = layer_trace.metrics_with(cell, batch, task, whole, fixed, layer)
        held[f"{name} at its mean"] = at_mean
        if parts:
            in_part = {"value": np.stack([mean] * len(parts), 1)}
            at = np.stack(list(parts.values()))
            costs = layer_trace.metrics_with(cell, batch, task, in_part, fixed, layer, at)
            held |= {f"{name} at its mean {where}": cost for where, cost in zip(parts, costs, strict=True)}
        held[f"{name} at 1"] = at_1
    if carried is not None:
        units = np.arange(found.trace.states.shape[-1])
        best = np.array([units == probe.ranking[0] for probe in found.probes[carried]])
        unit = {"silenced": best[:, None], "held": found.trace.states.mean((1, 2))[:, None]}
        (cost,) = layer_trace.metrics_with(cell, batch, task, unit, dict, layer)
        held["the unit that carries most at its mean"] = cost
    return InterventionCosts(task.metric, task.direction, layer_trace.metric(cell, cell.params, batch, task), held)


def cost_dots(name: str, found: InterventionCosts) -> exhibits.Dots:
    """Plots the cost of holding each part."""
    factors = found.direction == "min"
    rows = []
    for what in found.held:
        with np.errstate(divide="ignore", invalid="ignore"):
            rows.append(over_seeds.dots(what, np.log10(found.of(what)) if factors else found.of(what)))
    said = "; ".join(
        f"{what}: {formatting.number(float(np.median(found.of(what))), 3)}{' times' if factors else ' less'}"
        for what in found.held
    )
    unit = f"{found.metric}, relative to the whole cell" if factors else f"{found.metric} lost"
    words = exhibits.Words(
        "Cost of holding a gate or a unit",
        said,
        f"{unit.capitalize()}, seed by seed: {over_seeds.shown(len(found.plain))}. At the line nothing is lost; "
        "further right the part does work that a constant can't.",
    )
    axis = exhibits.Axis(unit, "powers" if factors else "linear", exhibits.level(0.0))
    return exhibits.Dots(name, words, tuple(rows), axis)


def cost_table(found: InterventionCosts) -> Table:
    """Tabulates the metric and its loss for each held part."""

    def text(values: np.ndarray) -> str:
        return over_seeds.text(values, lambda value: formatting.number(value, 3))

    columns = [
        Column("held", lambda what, values: what, "left"),
        Column(found.metric, lambda what, values: text(values)),
        Column(
            "times" if found.direction == "min" else "lost",
            lambda what, values: text(found.of(what)) if what in found.held else "",
        ),
    ]
    rows = [("nothing held", found.plain), *found.held.items()]
    return tabulate(columns, rows, f"Cost of holding: {over_seeds.shown(len(found.plain))}")
