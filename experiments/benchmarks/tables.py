"""The benchmark's tables for the terminal."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rich.console

from experiments.benchmarks.cases import OURS, Shape, is_ours, split_system
from experiments.benchmarks.results import MIB, Result, comparisons, fastest_variants, ratios
from gru_research.tables import Column, Heading, Table, tabulate, terminal

NOTHING = "-"
MODE_NAMES = {"forward": "forward", "train": "training", "last": "training, last output"}


def name_shape(shape: Shape) -> str:
    return f"B={shape.batch} T={shape.time} D={shape.input_size} H={shape.hidden_size}"


def show(console: rich.console.Console, table: Table) -> None:
    console.print(terminal.grid(table, show_edge=False, pad_edge=False, collapse_padding=True))


def shape_table(results: Sequence[Result]) -> Table:
    """Returns the table of all systems at one cell and shape, forward and training."""
    case = results[0].case
    modes = list(dict.fromkeys(result.mode for result in results))
    groups = {mode: group for (_, _, mode), group in comparisons(results).items()}
    columns = [Column("system", lambda system: system, "left")]
    for mode in modes:
        for i, heading in enumerate((f"{MODE_NAMES[mode]}\nms", "spread", "ratio", "share")):
            columns.append(Column(heading, lambda system, group=groups[mode], i=i: _times(group[system], group)[i]))
    columns.append(Column("peak\nMiB", lambda system: _bytes(groups[modes[-1]][system].peak_bytes)))
    systems = dict.fromkeys(result.case.system for result in results)
    return tabulate(columns, zip(systems), f"{case.cell}  {name_shape(case.shape)}  {case.dtype}")


def notes(results: Iterable[Result]) -> list[str]:
    """Returns the notes below a table: the engine of ours, why a system has no time, which variant was the fastest, and
    how many rounds were discarded, or count although other processes used the cores."""
    lines, thrown = [], []
    for result in fastest_variants(results):
        system, mode = result.case.system, MODE_NAMES[result.mode]
        if result.status != "ok":
            lines.append(f"{system}: {result.status}" + (f" ({result.reason})" if result.reason else ""))
            continue
        if result.engine:
            lines.append(f"{system}: {result.engine}")
        if result.case.variant:
            lines.append(f"{system}, {mode}: {result.case.variant} is its fastest")
        if result.discarded or result.disturbed:
            kept = f", {result.disturbed} counted although disturbed" if result.disturbed else ""
            counts = f"{result.discarded} rounds discarded{kept}, as other processes used the cores"
            sets = f", {result.case.sets} sets" if result.case.sets > 1 else ""
            thrown.append(f"{system}, {mode}, {result.case.shape}{sets}: {counts}")
    return list(dict.fromkeys([*lines, *thrown]))


def summary_table(results: Sequence[Result]) -> Table | None:
    """Returns the table of ours against the best peer, by cell, shape and mode; None if nothing can be compared.

    With several shapes, a row with the geometric mean of their ratios follows.
    """
    rows = []
    all_ratios: dict[tuple[str, str, str], list[float]] = {}
    for (cell, shape, mode), group in comparisons(results).items():
        peers = {n: r.seconds for n, r in group.items() if r.seconds is not None and not is_ours(n)}
        if not peers:
            continue
        best = min(peers, key=lambda n: peers[n])
        for system, result in group.items():
            if is_ours(system):
                own, _, ratio, share = _times(result, group)
                label = "" if system == OURS else f" {system}"
                rows.append((cell, str(shape), MODE_NAMES[mode] + label, own, _ms(peers[best]), ratio, share, best))
                if result.seconds is not None:
                    all_ratios.setdefault((cell, mode, label), []).append(result.seconds / peers[best])
    for (cell, mode, label), of_shapes in all_ratios.items():
        if len(of_shapes) > 1:
            mean = f"{statistics.geometric_mean(of_shapes):.2f}"
            rows.append((cell, f"mean of {len(of_shapes)}", MODE_NAMES[mode] + label, "", "", mean, "", ""))
    left = (Heading("cell", "left"), Heading("B,T,D,H", "left"), Heading("mode", "left"))
    right = (Heading("ours\nms"), Heading("best peer\nms"), Heading("ratio"), Heading("share"))
    headings = (*left, *right, Heading("best peer", "left"))
    return Table("ours against the best peer", headings, tuple(rows)) if rows else None


def length_table(results: Sequence[Result]) -> Table:
    """Returns the table of time and memory against T."""
    columns = [
        Column("system", lambda result: result.case.system, "left"),
        Column("cell", lambda result: result.case.cell, "left"),
        Column("mode", lambda result: MODE_NAMES[result.mode], "left"),
        Column("T", lambda result: f"{result.case.shape.time:,}"),
        Column("ms", lambda result: _ms(result.seconds)),
        Column("µs/step", _each_step),
        Column("planned\nMiB", lambda result: _bytes(result.planned_bytes)),
        Column("peak\nMiB", lambda result: _bytes(result.peak_bytes)),
    ]
    ordered = sorted(results, key=lambda r: (r.case.system, r.case.cell, r.mode, r.case.shape.time))
    return tabulate(columns, zip(ordered), "time against length")


def memory_table(results: Sequence[Result]) -> Table:
    """Returns the table of peak memory and time of a gradient step, with and without checkpointing."""
    columns = [
        Column("cell", lambda result: result.case.cell, "left"),
        Column("checkpoint\nsteps", lambda result: str(split_system(result.case.system)[1]["checkpoint"])),
        Column("B,T,D,H", lambda result: str(result.case.shape)),
        Column("planned\nMiB", lambda result: _bytes(result.planned_bytes)),
        Column("peak\nMiB", lambda result: _bytes(result.peak_bytes)),
        Column("before\nMiB", lambda result: _bytes(result.baseline_bytes)),
        Column("s", lambda result: result.status if result.seconds is None else f"{result.seconds:.2f}"),
        Column("compile\ns", lambda r: NOTHING if r.compile_seconds is None else f"{r.compile_seconds:.1f}"),
    ]
    return tabulate(columns, zip(results), "a gradient step, the loss on the last output")


_SETTING = (
    Column("cell", lambda result, *_: result.case.cell, "left"),
    Column("B,T,D,H", lambda result, *_: str(result.case.shape), "left"),
    Column("mode", lambda result, *_: MODE_NAMES[result.mode], "left"),
    Column("system", lambda result, *_: result.case.system, "left"),
)


def vmap_table(results: Sequence[Result]) -> Table:
    """Returns the table of several parameter sets side by side against one, for each system."""
    most = max(result.case.sets for result in results)
    by_setting = {_setting(result): result for result in results}
    columns = [
        *_SETTING,
        Column("1 set\nms", lambda one, many: _time(one)),
        Column(f"{most} sets\nms", lambda one, many: _time(many)),
        Column("times", lambda one, many: _over(many, one)),
    ]
    rows = ((one, by_setting[(*_setting(one)[:-2], most, 0)]) for one in results if one.case.sets == 1)
    return tabulate(columns, rows, f"vmap over {most} parameter sets")


def contention_table(results: Sequence[Result]) -> Table:
    """Returns the table of times alone and beside busy processes on all cores, and of ratios to the last system."""
    busy = max(result.case.busy_processes for result in results)
    by_setting = {_setting(result): result for result in results}
    last = results[-1].case.system
    columns = [
        *_SETTING,
        Column("alone\nms", lambda alone, beside: _time(alone)),
        Column("beside\nms", lambda alone, beside: _time(beside)),
        Column("ratio", lambda alone, beside: _over(beside, by_setting[(last, *_setting(beside)[1:])])),
    ]
    rows = ((r, by_setting[(*_setting(r)[:-1], busy)]) for r in results if not r.case.busy_processes)
    return tabulate(columns, rows, f"beside {busy} busy processes")


def _setting(result: Result) -> tuple[Any, ...]:
    return (
        result.case.system,
        result.case.cell,
        result.case.shape,
        result.mode,
        result.case.sets,
        result.case.busy_processes,
    )


def _time(result: Result) -> str:
    return result.status if result.seconds is None else _ms(result.seconds)


def _over(result: Result, other: Result) -> str:
    if result.seconds is None or other.seconds is None:
        return NOTHING
    return f"{result.seconds / other.seconds:.2f}"


def _times(result: Result, group: Mapping[str, Result]) -> tuple[str, str, str, str]:
    """Formats milliseconds or status, spread, ratio to the best peer, and share of the machine's rate."""
    if result.seconds is None:
        return result.status, NOTHING, NOTHING, NOTHING
    ratio = ratios({name: other.seconds for name, other in group.items()})[result.case.system]
    spread, share = result.spread, result.share
    return (
        _ms(result.seconds),
        NOTHING if spread is None else f"{spread:.0%}",
        NOTHING if ratio is None else f"{ratio:.2f}",
        NOTHING if share is None else f"{share:.0%}",
    )


def _each_step(result: Result) -> str:
    return NOTHING if result.seconds is None else f"{1e6 * result.seconds / result.case.shape.time:.2f}"


def _ms(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _bytes(value: int | None) -> str:
    return NOTHING if value is None else f"{value / MIB:,.1f}" if value < 10 * MIB else f"{value / MIB:,.0f}"
