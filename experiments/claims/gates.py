"""Claim: gates are hard to interpret."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from experiments.claims import verdicts
from experiments.claims.context import ClaimContext, check_cells, check_followed, folder
from experiments.diagnosis import gate_panels, layer_trace, linear_probes
from gru_research.config import UserError
from gru_research.plural import several
from gru_research.report import formatting
from gru_research.report.claims.findings import Finding, Verdict
from gru_research.tasks import Task
from gru_research.training import Plan

CLAIM = "Gates are hard to interpret."
_UNTAUGHT = "The cell has learned nothing: its error is about the trivial one. "


@dataclasses.dataclass(frozen=True)
class Gates:
    """Probes a trained cell's states and gates for the task's latent quantities, and intervenes on its gates.

    Attributes:
      run: the name of the run. Its task must name latent quantities, one of which is 0 or 1 at each step.
      cell: label of the cell.
      read: the least R^2 at which a quantity counts as readable.
      examples: the number of validation sequences.
    """

    run: str
    cell: str
    read: float = 0.9
    examples: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.read < 1:
            raise ValueError(f"read={self.read!r} must be above 0 and below 1")
        if self.examples < 5:
            raise ValueError(f"examples={self.examples!r} must be at least 5")

    @property
    def runs(self) -> tuple[str, ...]:
        return (self.run,)

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        check_cells(plans, path, self.run, [("cell", self.cell)])
        check_followed(plans, path, self.run)
        config = plans[self.run].config
        if next(cell for cell in config.cells if cell.label == self.cell).kind == "rnn":
            raise UserError(f"{path}.cell={self.cell!r} is a vanilla RNN: it has no gates")
        if reason := layer_trace.untraceable(config):
            raise UserError(f"{path}.run={self.run!r} {reason}")

    def find(self, context: ClaimContext, name: str) -> Finding:
        run = context.followed(self.run)
        context.say("gates: reading them, and taking them out")
        cell, task, batch = run.cell(self.cell), run.plan.task, run.validation(self.examples)
        latents = {} if task.latents is None else {label: np.asarray(a) for label, a in task.latents(batch).items()}
        mark, carried = _quantities(task, latents, f"config.claims.{name}.run={self.run!r}")
        found = {
            "before": linear_probes.probe_layer(cell, cell.initial, batch, latents),
            "after": linear_probes.probe_layer(cell, cell.params, batch, latents),
        }
        after = found["after"]
        costs = linear_probes.intervention_costs(cell, batch, task, after, carried, (mark, latents[mark]))
        seed = layer_trace.median_seed(costs.plain, task.direction)
        whole = float(np.median(after.whole(carried))) >= self.read
        single = float(np.median(after.units(carried).max(-1))) >= self.read
        learned = verdicts.learned(task, float(costs.plain[seed]))
        label = gate_panels.plain_label(self.cell)
        picture = gate_panels.gate_heatmap(
            "gates", run, cell, after.trace, batch, seed, carried, latents[carried], after.probes[carried][seed]
        )
        return Finding(
            name=name,
            claim=CLAIM,
            ran=(
                f"The {label} of the run {self.run!r} ({several(len(cell.seeds), 'seed')}, "
                f"{cell.plan.hidden_size} units, {task.name}) "
                f"on {self.examples} sequences: a linear map from the state, and from each unit alone, "
                f"to the {carried}, fitted on four fifths of the sequences and tested on the fifth that is left; how "
                f"well each unit's gates tell steps with a {mark} from others; and the task with gates held, at "
                f"all steps, at each {mark} and elsewhere, or a unit silenced."
            ),
            rule=(
                f"Everything is measured in the median seed. The claim doesn't hold if the {carried} can be read from "
                f"a single unit with an R^2 of at least {self.read:g}. If that takes the whole state, the claim holds "
                f"when one looks at units alone. It holds if neither reaches {self.read:g}. A gate that detects a "
                f"{mark} doesn't count: the {mark} is an input, and gates detect it before training too. The claim "
                "isn't shown if the error doesn't lie a tenth of the way from the trivial answer's to a solution's: "
                "what wasn't learned can't be read."
            ),
            verdict=verdict(whole, single) if learned else "not shown",
            says=("" if learned else _UNTAUGHT) + _says(found, carried, mark, costs),
            shown=(
                picture,
                linear_probes.cost_dots("costs", costs),
                linear_probes.table(found, len(cell.seeds)),
                linear_probes.cost_table(costs),
            ),
            runs=(folder(self.run),),
            left="One task and one cell here; `experiments.diagnose` makes the same of any finished run.",
        )


def verdict(whole: bool, single: bool) -> Verdict:
    """Returns the verdict. `whole` and `single`: whether the whole state, or a single unit, encodes the quantity."""
    return "doesn't hold" if single else "holds when" if whole else "holds"


def _quantities(task: Task, latents: Mapping[str, np.ndarray], where: str) -> tuple[str, str]:
    """Returns the labels of the binary mark and of the carried quantity.

    Raises UserError if the task doesn't name both, or if its metric isn't an error.
    """
    mark = next((label for label, values in latents.items() if linear_probes.is_binary(values)), None)
    carried = next((label for label in latents if label != mark), None)
    if mark is None or carried is None:
        raise UserError(f"{where}: {task.name} doesn't name both a mark and a quantity that is carried")
    if task.direction != "min":
        raise UserError(f"{where}: the metric of {task.name} must be an error")
    return mark, carried


def _says(
    found: Mapping[str, linear_probes.ProbedLayer], carried: str, mark: str, costs: linear_probes.InterventionCosts
) -> str:
    before, after = found["before"], found["after"]
    best = max(after.trace.proper, key=lambda gate: float(np.median(after.areas[mark][gate])))
    times = {what: float(np.median(costs.of(what))) for what in costs.held}
    worst, mild = max(times, key=times.__getitem__), min(times, key=times.__getitem__)
    whole = max((f"{after.trace.title(gate)} at its mean" for gate in after.trace.proper), key=times.__getitem__)
    marked, others = (times.get(f"{whole} {where}") for where in (f"at a {mark}", "elsewhere"))
    text = (
        f"In the median seed a linear map reads the {carried} from the state with an R^2 of "
        f"{np.median(after.whole(carried)):.3f} (before training {np.median(before.whole(carried)):.3f}), the best "
        f"single unit with {np.median(after.units(carried).max(-1)):.3f}; the {after.trace.title(best)} of one "
        f"unit tells a {mark} with an area under the curve of {np.median(after.areas[mark][best]):.3f} (before "
        f"training {np.median(before.areas[mark][best]):.3f}). Most costly to hold: {worst}, which multiplies the "
        f"error by {formatting.number(times[worst], 3)}; least: {mild}, by {formatting.number(times[mild], 3)}."
    )
    if marked is None or others is None:  # the layer doesn't read the task's inputs
        return text
    return (
        f"{text} The {whole} multiplies it by {formatting.number(times[whole], 3)}, at each {mark} alone by "
        f"{formatting.number(marked, 3)}, elsewhere alone by {formatting.number(others, 3)}."
    )
