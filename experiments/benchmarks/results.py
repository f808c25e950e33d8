"""Results and the numbers derived from them: medians, ratios, shares; the benchmark's JSON file.

In a round each system makes several calls, of which the median counts. A system's time is the median over rounds.
"""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.cases import BenchmarkCase, flops, is_ours
from gru_research.records import to_json

SCHEMA = "gru_research.benchmark/2"
FILE_NAME = "benchmark.json"
MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Result:
    """One case in one mode.

    Attributes:
      status: "ok", "not installed", "not offered" or "failed", with the `reason` where it isn't ok.
      round_seconds: for each round, the median seconds of a call.
      repetitions: calls in a round.
      compile_seconds: of tracing and compilation; about 0 for an eager system.
      planned_bytes: temporary memory in the compiler's plan, if there is one.
      baseline_bytes: the process's resident memory before the first call, with inputs and parameters.
      peak_bytes: its peak resident memory until the end of this mode, compilation included.
      device_peak_bytes: an accelerator's peak memory use.
      machine_flops: floating-point operations per second of large matrix products, in the same rounds.
      discarded: how many rounds were discarded and repeated, as other processes used the cores.
      disturbed: how many rounds count although other processes used the cores.
      engine: the engine of our layer in the compiled program; None for other systems.
    """

    case: BenchmarkCase
    mode: str
    status: str = "ok"
    reason: str = ""
    round_seconds: tuple[float, ...] = ()
    repetitions: int = 0
    compile_seconds: float | None = None
    planned_bytes: int | None = None
    baseline_bytes: int | None = None
    peak_bytes: int | None = None
    device_peak_bytes: int | None = None
    machine_flops: float | None = None
    discarded: int = 0
    disturbed: int = 0
    engine: str | None = None
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        return statistics.median(self.round_seconds) if self.round_seconds else None

    @property
    def spread(self) -> float | None:
        """The range of the rounds over their median."""
        if self.seconds is None:
            return None
        return (max(self.round_seconds) - min(self.round_seconds)) / self.seconds

    @property
    def flops(self) -> int:
        return flops(self.case.cell, self.case.shape, self.mode)

    @property
    def share(self) -> float | None:
        """The layer's rate over the machine's rate of matrix products."""
        if self.seconds is None or not self.machine_flops:
            return None
        return self.flops / self.seconds / self.machine_flops


def round_time(seconds: Sequence[float]) -> float:
    """Returns the time of a round: the median of its calls."""
    return statistics.median(seconds)


def repetitions(call_seconds: float, budget: float, rounds: int) -> int:
    """Returns the calls per round with which all rounds take about `budget` seconds: from 1 to 200."""
    return max(1, min(200, int(budget / rounds / call_seconds)))


def ratios(seconds: Mapping[str, float | None]) -> dict[str, float | None]:
    """Returns each system's time over the best peer's: below 1 is faster than all peers. None if either is missing."""
    best = min((s for name, s in seconds.items() if s is not None and not is_ours(name)), default=None)
    return {name: None if s is None or best is None else s / best for name, s in seconds.items()}


def fastest_variants(results: Iterable[Result]) -> list[Result]:
    """Keeps each system's fastest variant in each setting and mode, or its first variant where none ran."""
    chosen: dict[tuple[Any, ...], Result] = {}
    for result in results:
        key = (result.case.system, *_group(result), result.case.sets, result.case.busy_processes)
        other = chosen.get(key)
        if other is None or _order(result) < _order(other):
            chosen[key] = result
    return list(chosen.values())


def _order(result: Result) -> float:
    return float("inf") if result.seconds is None else result.seconds


def comparisons(results: Iterable[Result]) -> dict[tuple[Any, ...], dict[str, Result]]:
    """Groups the fastest variants' results by (cell, shape, mode), then by system."""
    groups: dict[tuple[Any, ...], dict[str, Result]] = {}
    for result in fastest_variants(results):
        if (result.case.sets, result.case.busy_processes) == (1, 0):
            groups.setdefault(_group(result), {})[result.case.system] = result
    return groups


def _group(result: Result) -> tuple[Any, ...]:
    return result.case.cell, result.case.shape, result.mode


def record(result: Result, ratio: float | None, counts: bool) -> dict[str, Any]:
    """Returns a result as plain JSON; `counts` is False for a variant that wasn't the system's fastest."""
    case = dataclasses.asdict(result.case)
    return case | {
        "mode": result.mode,
        "status": result.status,
        "reason": result.reason,
        "ms": _scaled(result.seconds, 1e3),
        "round_ms": [1e3 * s for s in result.round_seconds],
        "spread": result.spread,
        "repetitions": result.repetitions,
        "counts": counts,
        "ratio_to_best_peer": ratio,
        "flops": result.flops,
        "machine_gflops_per_second": _scaled(result.machine_flops, 1e-9),
        "share_of_machine": result.share,
        "compile_seconds": result.compile_seconds,
        "planned_mib": _scaled(result.planned_bytes, 1 / MIB),
        "baseline_mib": _scaled(result.baseline_bytes, 1 / MIB),
        "peak_mib": _scaled(result.peak_bytes, 1 / MIB),
        "device_peak_mib": _scaled(result.device_peak_bytes, 1 / MIB),
        "discarded_rounds": result.discarded,
        "disturbed_rounds": result.disturbed,
        "engine": result.engine,
        "about": dict(result.about),
    }


def records(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Returns all results as plain JSON, each with its ratio to the best peer."""
    chosen = fastest_variants(results)
    ratio_of = {
        id(group[name]): ratio
        for group in comparisons(results).values()
        for name, ratio in ratios({n: r.seconds for n, r in group.items()}).items()
    }
    return [record(result, ratio_of.get(id(result)), any(result is other for other in chosen)) for result in results]


def write(path: Path, header: Mapping[str, Any], results: Sequence[Result]) -> None:
    """Writes the whole file atomically, so that an interrupted run leaves complete results."""
    text = json.dumps(to_json({"schema": SCHEMA, **header, "results": records(results)}), indent=1, allow_nan=False)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
