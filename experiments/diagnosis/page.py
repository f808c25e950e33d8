"""Makes the parts of a run's page `why.html`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from experiments.diagnosis import flow, gate_panels, horizons, layer_trace, linear_probes, spectra
from gru_research.analysis import gate_statistics
from gru_research.plural import several
from gru_research.report import exhibits, formatting, over_seeds
from gru_research.report.diagnosis_page import Part
from gru_research.runs import trained
from gru_research.tables import Column, Table, tabulate

_FLOW_EXAMPLES = 32


def parts(
    run: trained.FinishedRun, labels: Sequence[str], examples: int, layer: int, say: Callable[[str], None]
) -> Iterator[Part]:
    """Yields the page's parts for the cells of these labels; notes replace analyses that don't apply to a cell."""
    cells = [cell for cell in run.cells if cell.label in labels]
    refused = {cell.label: reason for cell in cells if (reason := trained.refusal(run, cell)) is not None}
    whole = [cell for cell in cells if cell.label not in refused]
    varying = "lengths" in run.sets["validation"]
    flows: dict[str, dict[str, flow.Flow]] = {}
    reach: dict[str, horizons.Reach] = {}
    found: dict[str, spectra.Spectrum] = {}
    for cell in whole:
        say(f"{cell.label}: gradients")
        flows[cell.label] = flow.measure(run, cell, min(examples, _FLOW_EXAMPLES))
        if not varying:
            say(f"{cell.label}: memory and spectrum")
            reach[cell.label] = horizons.measure(run, cell, examples)
            found[cell.label] = spectra.measure(run, cell)
    notes = tuple(refused.values())
    if varying and whole:
        notes += (f"{run.plan.task.name} has sequences of several lengths: horizons and spectra aren't computed.",)
    yield Part("In short", notes, (_short(run, flows, reach, found),) if flows else ())
    if flows:
        yield Part("Gradients", (), (flow.curves(flows), flow.table(flows)))
    if reach:
        yield Part("Memory", (), (horizons.figure(reach), horizons.table(reach), spectra.figure(found)))
    for cell in whole:
        say(f"{cell.label}: gates")
        yield _of_cell(run, cell, examples, layer, varying)


def _of_cell(run: trained.FinishedRun, cell: trained.TrainedCell, examples: int, layer: int, varying: bool) -> Part:
    """Makes the part on one cell: a layer's gates and states, linear probes of them, and costs of holding gates."""
    heading = gate_panels.plain_label(cell.label) + (f", layer {layer}" if len(cell.model.stack.cells) > 1 else "")
    if layer >= len(cell.model.stack.cells):
        return Part(
            heading,
            (f"The cell has {several(len(cell.model.stack.cells), 'layer')}, and none has the number {layer}.",),
        )
    if reason := layer_trace.untraceable(run.plan.config):
        return Part(heading, (f"Gates aren't shown: the run {reason}.",))
    task, batch = run.plan.task, run.validation(examples)
    shown: list[exhibits.Exhibit] = []
    latents: Mapping[str, np.ndarray] = {}
    notes: tuple[str, ...] = ()
    if task.latents is None:
        notes = (f"{task.name} names no latent quantity, so the states aren't probed.",)
    elif varying:
        notes = ("Sequences have several lengths, so the states aren't probed.",)
    elif len(batch["inputs"]) >= linear_probes.LEAST:
        moving = {name: np.asarray(values) for name, values in task.latents(batch).items()}
        latents = {name: values for name, values in moving.items() if np.ptp(values) > 0}
    carried = next((name for name, values in latents.items() if not linear_probes.is_binary(values)), None)
    carried = carried or next(iter(latents), None)
    before = linear_probes.probe_layer(cell, cell.initial, batch, latents, layer)
    after = linear_probes.probe_layer(cell, cell.params, batch, latents, layer)
    marks = next(((name, values) for name, values in latents.items() if linear_probes.is_binary(values)), None)
    marks = None if marks is None or marks[0] == carried else marks
    costs = linear_probes.intervention_costs(cell, batch, task, after, carried, marks, layer)
    seed = layer_trace.median_seed(costs.plain, task.direction)
    gated = after.trace.proper
    if gated:
        probe = after.probes[carried][seed] if carried else None
        values = latents[carried] if carried else None
        name = f"why-{cell.label}"
        shown.append(
            gate_panels.gate_heatmap(f"{name}-gates", run, cell, after.trace, batch, seed, carried, values, probe)
        )
        shown += [_distribution(f"{name}-values", {"before": before, "after": after}, gated), _saturation(after, gated)]
    if carried:
        shown.append(linear_probes.table({"before": before, "after": after}, len(cell.seeds)))
        shown.append(linear_probes.ranking(f"why-{cell.label}-units", after, carried, seed))
    if costs.held:
        shown += [linear_probes.cost_dots(f"why-{cell.label}-costs", costs), linear_probes.cost_table(costs)]
    return Part(heading, notes, tuple(shown))


def _short(
    run: trained.FinishedRun,
    flows: flow.Flows,
    reach: Mapping[str, horizons.Reach],
    found: Mapping[str, spectra.Spectrum],
) -> Table:
    """Makes the overview, one row per cell."""
    length, seeds = flow.shape(flows)

    def clipped(label: str) -> str:
        shares = [result.clipped_share for result in run.records.results if result.cell == label]
        known = [share for share in shares if share is not None]
        return formatting.percent(float(np.mean(known)), 1) if known else formatting.UNKNOWN

    columns = [
        Column("cell", lambda label, of: gate_panels.plain_label(label), "left"),
        Column(
            f"gradient at lag {length}, before to after training",
            lambda label, of: f"{flow.power(of['before'])} to {flow.power(of['after'])}",
        ),
        Column("half-life before, steps", lambda label, of: flow.median_half_life(of["before"])),
        Column("after", lambda label, of: flow.median_half_life(of["after"])),
        Column(
            "horizon after, steps",
            lambda label, of: horizons.median(reach[label], "after") if label in reach else formatting.UNKNOWN,
        ),
        Column(
            "largest Lyapunov exponent after, nats a step",
            lambda label, of: spectra.exponents(found[label], "after") if label in found else formatting.UNKNOWN,
        ),
        Column("updates clipped", lambda label, of: clipped(label)),
    ]
    return tabulate(columns, flows.items(), f"{run.plan.task.name}: medians over {several(seeds, 'seed')}")


def _distribution(name: str, found: Mapping[str, linear_probes.ProbedLayer], gated: Sequence[str]) -> exhibits.Plot:
    """Makes histograms of gate values over all units and steps, one line per gate."""
    panels = []
    value, share = exhibits.Axis("value of the gate"), exhibits.Axis("percent of values")
    for when, of in found.items():
        lines = []
        for place, gate in enumerate(gated):
            each = [gate_statistics({gate: values})[gate].density for values in of.trace.gates[gate]]
            centres = (np.arange(len(each[0])) + 0.5) / len(each[0])
            lines.append(over_seeds.line(of.trace.title(gate), place, centres.tolist(), 100 * np.stack(each)))
        panels.append(exhibits.Panel(f"{when} training", tuple(lines), value, share))
    words = exhibits.Words(
        "Distribution of gate values",
        "Histograms of the gates' values over all units, steps and sequences, before and after training.",
        "The share of values in each twentieth from 0 (closed) to 1 (open). Values at the ends are saturated: such a "
        "gate is decided, and little gradient reaches its own parameters.",
    )
    return exhibits.Plot(name, words, tuple(panels))


def _saturation(found: linear_probes.ProbedLayer, gated: Sequence[str]) -> Table:
    """Makes the table of each gate's mean and saturation."""

    def text(values: Iterable[np.ndarray]) -> str:
        return over_seeds.text([value.mean() for value in values], lambda value: f"{value:.3f}")

    columns = [
        Column("gate", lambda gate, each: found.trace.title(gate), "left"),
        Column("mean", lambda gate, each: text(of.mean for of in each)),
        Column("share below 0.1", lambda gate, each: text(of.low for of in each)),
        Column("share above 0.9", lambda gate, each: text(of.high for of in each)),
    ]
    rows = [(gate, [gate_statistics({gate: values})[gate] for values in found.trace.gates[gate]]) for gate in gated]
    return tabulate(columns, rows, f"Gates after training: {over_seeds.shown(len(found.trace.states))}")
