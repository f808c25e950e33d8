"""What a plan prints: a table of all cells for each setting, what was checked, and what doesn't fit."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import rich.box
import rich.console
import rich.table
import rich.text

from experiments.planning import CellForecasts, Forecast, LengthCheck, RunCheck, advice
from gru_research.config import HorizonConfig
from gru_research.plural import several
from gru_research.training import Plan
from gru_research.training.forecast import COVERED, Interval, exactly, fullest, total
from gru_research.training.machine import has_own_memory

MIB = 2**20
WIDTH = 110
"""Of the tables at least: intervals are no use when they are cut off."""
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


@dataclasses.dataclass(frozen=True)
class Planned:
    """One config's forecasts; `startup` are the seconds from the process's start until everything was loaded."""

    plan: Plan
    startup: float | None
    cells: tuple[CellForecasts, ...]

    @property
    def settings(self) -> dict[str, list[Forecast]]:
        """The forecasts of all cells, by setting."""
        made: dict[str, list[Forecast]] = {}
        for cell in self.cells:
            for forecast in cell.forecasts:
                made.setdefault(forecast.setting, []).append(forecast)
        return made

    def as_json(self) -> dict[str, Any]:
        return {
            "task": self.plan.task.name,
            "length": self.plan.task.length,
            "startup": self.startup,
            "cells": [dataclasses.asdict(cell) for cell in self.cells],
            "totals": {
                name: dataclasses.asdict(total(f.total for f in forecasts)) for name, forecasts in self.settings.items()
            },
        }


def machine(found: Mapping[str, Any]) -> str:
    """One line: what it runs on, how busy that is, and how much memory there is."""
    devices = jax.devices()
    load, limit = found["load_average"], found["memory_limit"]
    busy = "" if load is None else f", load average {load:.1f}"
    memory = "" if limit is None else f", {size(limit)} of memory" + (" a device" if has_own_memory() else "")
    return f"jax {jax.__version__} on {jax.default_backend()}: {len(devices)} x {devices[0].device_kind}{busy}{memory}"


def show(
    made: Sequence[Planned], horizon: HorizonConfig | None, limit: int | None, console: rich.console.Console
) -> None:
    """Prints everything."""
    console.width = max(console.width, WIDTH)
    whole: list[Interval] = []
    for planned in made:
        for setting, forecasts in planned.settings.items():
            console.print(_table(planned, setting, forecasts, limit))
            if horizon is None or horizon.field != "task.length" or setting in _names(horizon):
                whole.append(total(f.total for f in forecasts))
    startup = made[0].startup or 0.0
    if horizon is not None:
        text = f"All values of {horizon.field} in {horizon.values}, where every cell goes on: "
        console.print(text + duration(total(whole)), highlight=False)
    console.print(f"Start-up, before the first cell: {duration(exactly(startup))}. The report isn't part of any total.")
    checks = [cell for planned in made for cell in planned.cells]
    lengths = [cell.length_check for cell in checks if cell.length_check]
    runs = [cell.run_check for cell in checks if cell.run_check]
    for line in [*map(_length_line, lengths), *map(_run_line, runs), *_misfits(made, limit), *_notes(made)]:
        console.print(line, highlight=False, markup=False)


def _names(horizon: HorizonConfig) -> set[str]:
    return {f"length {value}" for value in horizon.values}


def _table(planned: Planned, setting: str, forecasts: Sequence[Forecast], limit: int | None) -> rich.table.Table:
    config, basis = planned.plan.config, forecasts[0].basis
    title = (
        f"{planned.plan.task.name}, {setting}: {several(forecasts[0].seeds, 'seed')}, batches of {config.batch_size}, "
    )
    title += f"length {planned.plan.task.length}, " if "length" not in setting else ""
    table = rich.table.Table(
        title=rich.text.Text(title + f"time {basis}"), title_justify="left", box=rich.box.SIMPLE_HEAD
    )
    headings = ("cell", "units", "params", "compile\ns", "ms/update\nand seed", "total time", "memory", "fits")
    for heading in headings:
        table.add_column(rich.text.Text(heading), justify="left" if heading == "cell" else "right", no_wrap=True)
    for f in forecasts:
        row = (
            f.cell, f"{f.units}", f"{f.parameters:,}", f"{f.compile_seconds:.1f}", numbers(f.update.times(1e3)),
            duration(f.total), size(f.needed), _fits(f.needed, limit),
        )  # fmt: skip
        table.add_row(*row)
    if len(forecasts) > 1:
        most = max(f.needed for f in forecasts)  # cells take turns
        everything = duration(total(f.total for f in forecasts))
        table.add_row("all", "", "", "", "", everything, size(most), _fits(most, limit))
    return table


def _fits(needed: int, limit: int | None) -> str:
    return "unknown" if limit is None else "yes" if needed <= limit else "NO"


def _length_line(check: LengthCheck) -> str:
    fitted = ", ".join(map(str, check.fitted))
    return (
        f"{check.cell}: from lengths {fitted} an update of all seeds at length {check.length} was predicted to take "
        f"{numbers(check.predicted.times(1e3))} ms; it took {numbers(check.found.times(1e3))} ms ({check.error:+.0%})."
    )


def _run_line(check: RunCheck) -> str:
    predicted, found = check.predicted, check.found
    updating = predicted.updating
    line = (
        f"{check.cell}, check over {found.updates:,} updates: updates predicted {duration(updating)}, found "
        f"{found.train_seconds:.1f} s ({found.train_seconds / updating.middle - 1:+.0%}); with compilation and "
        f"evaluation predicted {duration(predicted.total)}, found {found.seconds:.1f} s "
        f"({found.seconds / predicted.total.middle - 1:+.0%})"
    )
    if found.memory is not None:
        line += f"; memory predicted {size(check.needed)}, found {size(found.memory)}"
        line += f" ({found.memory / check.needed - 1:+.0%})"
    return line + (f"; {several(found.diverged, 'seed')} diverged, which then take no time." if found.diverged else ".")


def _misfits(made: Sequence[Planned], limit: int | None) -> list[str]:
    lines = []
    for planned in made:
        for forecast in (f for forecasts in planned.settings.values() for f in forecasts):
            if limit is not None and forecast.needed > limit:
                per_device = fullest(forecast.seeds, forecast.memory.devices)
                batch_size = planned.plan.config.batch_size
                lines.append(
                    f"Doesn't fit, {size(forecast.needed)} of {size(limit)}: "
                    + advice(forecast, limit, batch_size, per_device, has_own_memory())
                )
    return lines


def _notes(made: Sequence[Planned]) -> list[str]:
    """What of all this is measured, and what isn't."""
    config = made[0].plan.config
    folder = getattr(jax.config, "jax_compilation_cache_dir", None)
    cached = f" (with jax's compilation cache in {folder})" if folder else ""
    kind = "a device" if has_own_memory() else "the process"
    lines = [
        f"Measured: compilation, once each{cached}; the calls of updates, whose median and {COVERED:.0%} range stand "
        f"for the whole run; evaluation and test. Predicted: totals, which take every seed to its last update, with "
        f"all of the machine as busy as it was just now. Memory is XLA's plan for {kind}, compiled but not run."
    ]
    if config.patience:
        lines.append(f"config.patience={config.patience} may stop seeds earlier: totals are upper bounds.")
    if config.tune.draws:
        members = config.tune.draws * config.tune.seeds
        lines.append(
            f"Totals hold the tuning: {several(members, 'member')} side by side, {several(config.tune.draws, 'draw')}."
        )
    if any("length" in setting for planned in made for setting in planned.settings):
        lines.append(
            "Times at other lengths: least squares over the config's length and its quarters, and the same number of "
            f"updates; intervals are {COVERED:.0%} prediction intervals, or the check's error where that is wider."
        )
    return lines


def numbers(interval: Interval) -> str:
    return f"{interval.middle:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def duration(interval: Interval) -> str:
    """In the unit that suits the middle; the interval where there is one."""
    scale, unit = next(((s, name) for s, name in UNITS if interval.middle >= 2 * s), (1.0, "s"))
    scaled = interval.times(1 / scale)
    text = f"{scaled.middle:.3g}" if interval.low == interval.high else numbers(scaled)
    return f"{text} {unit}"


def size(count: int) -> str:
    return f"{count / MIB / 1024:.3g} GiB" if count >= 1024 * MIB else f"{count / MIB:.0f} MiB"
