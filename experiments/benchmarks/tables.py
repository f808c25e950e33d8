"""The benchmark's tables for the terminal."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rich.box
import rich.table
import rich.text

from experiments.benchmarks.cases import OURS, Shape, is_ours, split_system
from experiments.benchmarks.results import MIB, Result, comparisons, fastest_variants, ratios

NOTHING = "-"
MODE_NAMES = {"forward": "forward", "train": "training", "last": "training, last output"}


def name_shape(shape: Shape) -> str:
    return f"B={shape.batch} T={shape.time} D={shape.input_size} H={shape.hidden_size}"


def shape_table(results: Sequence[Result]) -> rich.table.Table:
    """Returns the table of all systems at one cell and shape, forward and training."""
    case = results[0].case
    modes = list(dict.fromkeys(result.mode for result in results))
    table = _table(f"{case.cell}  {name_shape(case.shape)}  {case.dtype}")
    _column(table, "system", "left")
    for mode in modes:
        for heading in (f"{MODE_NAMES[mode]}\nms", "spread", "ratio", "share"):
            _column(table, heading)
    _column(table, "peak\nMiB")
    groups = {mode: group for (_, _, mode), group in comparisons(results).items()}
    for system in dict.fromkeys(result.case.system for result in results):
        found = [groups[mode][system] for mode in modes]
        cells = [text for mode, result in zip(modes, found, strict=True) for text in _times(result, groups[mode])]
        _row(table, system, *cells, _bytes(found[-1].peak_bytes))
    return table


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


def summary_table(results: Sequence[Result]) -> rich.table.Table | None:
    """Returns the table of ours against the best peer, by cell, shape and mode; None if nothing can be compared.

    With several shapes, a row with the geometric mean of their ratios follows.
    """
    table = _table("ours against the best peer")
    for heading in ("cell", "B,T,D,H", "mode"):
        _column(table, heading, "left")
    for heading in ("ours\nms", "best peer\nms", "ratio", "share"):
        _column(table, heading)
    _column(table, "best peer", "left")
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
                _row(table, cell, str(shape), MODE_NAMES[mode] + label, own, _ms(peers[best]), ratio, share, best)
                if result.seconds is not None:
                    all_ratios.setdefault((cell, mode, label), []).append(result.seconds / peers[best])
    for (cell, mode, label), of_shapes in all_ratios.items():
        if len(of_shapes) > 1:
            mean = f"{statistics.geometric_mean(of_shapes):.2f}"
            _row(table, cell, f"mean of {len(of_shapes)}", MODE_NAMES[mode] + label, "", "", mean, "", "")
    return table if table.row_count else None


def length_table(results: Sequence[Result]) -> rich.table.Table:
    """Returns the table of time and memory against T."""
    table = _table("time against length")
    for heading in ("system", "cell", "mode"):
        _column(table, heading, "left")
    for heading in ("T", "ms", "µs/step", "planned\nMiB", "peak\nMiB"):
        _column(table, heading)
    for result in sorted(results, key=lambda r: (r.case.system, r.case.cell, r.mode, r.case.shape.time)):
        steps = result.case.shape.time
        each = NOTHING if result.seconds is None else f"{1e6 * result.seconds / steps:.2f}"
        _row(
            table, result.case.system, result.case.cell, MODE_NAMES[result.mode], f"{steps:,}", _ms(result.seconds),
            each, _bytes(result.planned_bytes), _bytes(result.peak_bytes),
        )  # fmt: skip
    return table


def memory_table(results: Sequence[Result]) -> rich.table.Table:
    """Returns the table of peak memory and time of a gradient step, with and without checkpointing."""
    table = _table("a gradient step, the loss on the last output")
    _column(table, "cell", "left")
    for heading in ("checkpoint\nsteps", "B,T,D,H", "planned\nMiB", "peak\nMiB", "before\nMiB", "s", "compile\ns"):
        _column(table, heading)
    for result in results:
        seconds = result.status if result.seconds is None else f"{result.seconds:.2f}"
        compiling = NOTHING if result.compile_seconds is None else f"{result.compile_seconds:.1f}"
        _, options = split_system(result.case.system)
        memory = (_bytes(n) for n in (result.planned_bytes, result.peak_bytes, result.baseline_bytes))
        _row(table, result.case.cell, str(options["checkpoint"]), str(result.case.shape), *memory, seconds, compiling)
    return table


def vmap_table(results: Sequence[Result]) -> rich.table.Table:
    """Returns the table of several parameter sets side by side against one, for each system."""
    most = max(result.case.sets for result in results)
    table = _table(f"vmap over {most} parameter sets")
    for heading in ("cell", "B,T,D,H", "mode", "system"):
        _column(table, heading, "left")
    for heading in ("1 set\nms", f"{most} sets\nms", "times"):
        _column(table, heading)
    by_setting = {_setting(result): result for result in results}
    for result in results:
        if result.case.sets == 1:
            many = by_setting[(*_setting(result)[:-2], most, 0)]
            _row(table, *_named(result), _time(result), _time(many), _over(many, result))
    return table


def contention_table(results: Sequence[Result]) -> rich.table.Table:
    """Returns the table of times alone and beside busy processes on all cores, and of ratios to the last system."""
    busy = max(result.case.busy_processes for result in results)
    table = _table(f"beside {busy} busy processes")
    for heading in ("cell", "B,T,D,H", "mode", "system"):
        _column(table, heading, "left")
    for heading in ("alone\nms", "beside\nms", "ratio"):
        _column(table, heading)
    by_setting = {_setting(result): result for result in results}
    last = results[-1].case.system
    for result in results:
        if not result.case.busy_processes:
            beside = by_setting[(*_setting(result)[:-1], busy)]
            other = by_setting[(last, *_setting(beside)[1:])]
            _row(table, *_named(result), _time(result), _time(beside), _over(beside, other))
    return table


def _setting(result: Result) -> tuple[Any, ...]:
    return (
        result.case.system,
        result.case.cell,
        result.case.shape,
        result.mode,
        result.case.sets,
        result.case.busy_processes,
    )


def _named(result: Result) -> tuple[str, str, str, str]:
    return result.case.cell, str(result.case.shape), MODE_NAMES[result.mode], result.case.system


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


def _table(title: str) -> rich.table.Table:
    return rich.table.Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=rich.box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )


def _column(table: rich.table.Table, heading: str, side: str = "right") -> None:
    table.add_column(rich.text.Text(heading), justify="left" if side == "left" else "right", overflow="fold")


def _row(table: rich.table.Table, *texts: str) -> None:
    # As Text: rich would read the brackets of a system's options as markup.
    table.add_row(*map(rich.text.Text, texts))


def _ms(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _bytes(value: int | None) -> str:
    return NOTHING if value is None else f"{value / MIB:,.1f}" if value < 10 * MIB else f"{value / MIB:,.0f}"
