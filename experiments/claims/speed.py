"""Claim: a GRU trains faster than an LSTM."""

import dataclasses
import statistics
from collections.abc import Sequence

import jax
import numpy as np

import gru_research as gr
from experiments.benchmarks import cases
from experiments.benchmarks.results import MIB, Result
from experiments.benchmarks.round_robin import TimingSettings, measure
from experiments.claims.context import ClaimContext, WithoutRuns
from experiments.claims.size import parameters
from experiments.claims.verdicts import verdict
from gru_research.config import UserError
from gru_research.report import exhibits
from gru_research.report.claims.findings import Finding
from gru_research.tables import Column, Table, tabulate
from gru_research.training import nearest_size

CLAIM = "A GRU trains faster than an LSTM."
_MAKE = {"gru": gr.GRU, "lstm": gr.LSTM, "rnn": gr.VanillaRNN}
_NAMES = {"gru": "GRU", "lstm": "LSTM", "rnn": "vanilla RNN"}
_RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The training-step time of `cell` over the LSTM's: the median over rounds and its interval."""

    cell: str
    shape: cases.Shape
    matched: bool
    value: float
    low: float
    high: float
    milliseconds: float
    memory: int | None


@dataclasses.dataclass(frozen=True)
class Speed(WithoutRuns):
    """Times a training step of the three cells. Each has its own process, and the processes take turns.

    Attributes:
      shapes: the LSTM's batch size, steps, input size and hidden size, as "B,T,I,H;B,T,I,H".
      rounds: turns of each process.
      budget: seconds that each process is timed.
    """

    shapes: str = "32,128,32,128;50,200,2,64"
    rounds: int = 10
    budget: float = 2.0

    def __post_init__(self) -> None:
        cases.parse_shapes(self.shapes)
        if self.rounds < 6:
            raise ValueError(f"rounds={self.rounds!r} must be at least 6: fewer give no interval")
        if not self.budget > 0:
            raise ValueError(f"budget={self.budget!r} must be above 0 seconds")

    def find(self, context: ClaimContext, name: str) -> Finding:
        ratios = [ratio for shape in cases.parse_shapes(self.shapes) for ratio in self._measure(context, shape)]
        of_gru = [ratio for ratio in ratios if ratio.cell == "gru"]
        return Finding(
            name=name,
            claim=CLAIM,
            ran=(
                f"A training step (loss, gradient by the parameters) of this project's layers at {len(ratios) // 4} "
                f"shapes, float32, on {jax.default_backend()}; at equal width, and at equal parameters. Each layer in "
                f"a process of its own, taking {self.rounds} turns."
            ),
            rule=(
                "The ratio is a GRU's time over the LSTM's in the same round, with a 95 % interval (bootstrap of the "
                "median over rounds). The claim holds if the interval lies below 1 at every shape, both at equal width "
                "and at equal parameters. If only at some, the verdict is: holds when. If at none, it doesn't hold."
            ),
            verdict=verdict([ratio.high < 1 for ratio in of_gru]),
            says=_says(of_gru),
            shown=(_dots(ratios), _table(ratios)),
            left=(
                "The ratio belongs to this machine and to these layers, whose gradients are written by hand; a "
                "library's LSTM may be the better tuned one. `experiments.benchmark` measures other libraries."
            ),
        )

    def _measure(self, context: ClaimContext, shape: cases.Shape) -> list[Ratio]:
        """Times GRU and vanilla RNN against the LSTM, with its hidden size and with its number of parameters."""
        platform = "cpu" if jax.default_backend() == "cpu" else "gpu"
        wanted = parameters(gr.LSTM(shape.hidden_size), shape.input_size)

        def case(cell: str, size: int) -> cases.BenchmarkCase:
            return cases.BenchmarkCase(
                cases.OURS, cell=cell, shape=dataclasses.replace(shape, hidden_size=size), platform=platform
            )

        lstm, others = case("lstm", shape.hidden_size), {}
        for cell in ("gru", "rnn"):
            size = nearest_size(lambda H, cell=cell: parameters(_MAKE[cell](H), shape.input_size), wanted)
            others[case(cell, shape.hidden_size)] = False
            others[case(cell, size)] = True
        logs = context.workdir / "logs"
        logs.mkdir(exist_ok=True)
        context.say(f"speed: {shape.batch} sequences of {shape.time} steps, LSTM of {shape.hidden_size} units")
        found = measure(
            [lstm, *others], ("train",), TimingSettings(self.rounds, self.budget), None, logs, lambda line: None
        )
        if failed := [result for result in found if result.status != "ok"]:
            raise UserError(f"{_NAMES[failed[0].case.cell]} can't be timed ({failed[0].reason}); see {logs}")
        by_case = {result.case: result for result in found}
        return [_ratio(by_case[other], by_case[lstm], shape, matched) for other, matched in others.items()]


def _ratio(result: Result, lstm: Result, shape: cases.Shape, matched: bool) -> Ratio:
    values = np.array(result.round_seconds) / np.array(lstm.round_seconds)
    drawn = np.random.default_rng(0).choice(values, size=(_RESAMPLES, values.size))
    low, high = np.percentile(np.median(drawn, -1), [2.5, 97.5])
    milliseconds = 1e3 * statistics.median(result.round_seconds)
    return Ratio(result.case.cell, result.case.shape, matched, float(np.median(values)), float(low), float(high),
                 milliseconds, result.planned_bytes)  # fmt: skip


def _says(ratios: Sequence[Ratio]) -> str:
    parts = [
        f"{_where(ratio)} it takes {ratio.value:.2f} of the LSTM's time [{ratio.low:.2f}, {ratio.high:.2f}]"
        for ratio in ratios
    ]
    return f"{'; '.join(parts)}."[0].upper() + f"{'; '.join(parts)}."[1:]


def _where(ratio: Ratio) -> str:
    shape = ratio.shape
    size = "equal parameters" if ratio.matched else "equal width"
    return f"at {size} ({shape.batch} sequences of {shape.time} steps, {shape.hidden_size} units)"


def _label(ratio: Ratio) -> str:
    shape = ratio.shape
    return f"{_NAMES[ratio.cell]}, {shape.hidden_size} units, {shape.batch} x {shape.time} steps"


def _dots(ratios: Sequence[Ratio]) -> exhibits.Dots:
    words = exhibits.Words(
        "Time of a training step relative to an LSTM's",
        "Ratios of times with intervals, one row a cell and shape: "
        + "; ".join(f"{_label(r)}: {r.value:.2f}" for r in ratios),
        "Left of the line at 1 is faster than the LSTM in the same rounds; bars are 95 % intervals of the median over "
        "rounds. Equal parameters make a GRU wider, which takes back part of what it saves.",
    )
    rows = tuple(exhibits.Dot(_label(r), r.value, r.low, r.high, int(r.matched)) for r in ratios)
    axis = exhibits.Axis("time over the LSTM's", references=exhibits.level(1.0))
    return exhibits.Dots("speed", words, rows, axis, ("equal width", "equal parameters"))


def _table(ratios: Sequence[Ratio]) -> Table:
    columns = [
        Column("cell", _label, "left"),
        Column("equal", lambda ratio: "parameters" if ratio.matched else "width"),
        Column("ms a step", lambda ratio: f"{ratio.milliseconds:.3g}"),
        Column("of the LSTM's", lambda ratio: f"{ratio.value:.3f}"),
        Column("95 % interval", lambda ratio: f"[{ratio.low:.3f}, {ratio.high:.3f}]"),
        Column("temporary MiB", lambda ratio: "-" if ratio.memory is None else f"{ratio.memory / MIB:.1f}"),
    ]
    return tabulate(columns, zip(ratios), "A training step, timed in turns with the LSTM's")
