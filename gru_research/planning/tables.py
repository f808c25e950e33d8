"""Prints forecasts: a table of all cells per setting, their check, and what to change where memory is insufficient."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import rich.console

from gru_research.config import HorizonConfig
from gru_research.plural import several
from gru_research.tables import Column, Table, tabulate, terminal

from .cells import ConfigForecast, Forecast, RunCheck, advice
from .forecast import busiest
from .intervals import COVERED, Interval, exactly, total
from .machine import has_own_memory

MIB = 2**20
WIDTH = 110
"""The least width of the tables, so that intervals aren't cut off."""
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def machine(found: Mapping[str, Any]) -> str:
    """Describes the machine in one line: devices, load average, memory."""
    devices = jax.devices()
    load, limit = found["load_average"], found["memory_limit"]
    busy = "" if load is None else f", load average {load:.1f}"
    memory = "" if limit is None else f", {size(limit)} of memory" + (" a device" if has_own_memory() else "")
    return f"jax {jax.__version__} on {jax.default_backend()}: {len(devices)} x {devices[0].device_kind}{busy}{memory}"


def show(
    made: Sequence[ConfigForecast], horizon: HorizonConfig | None, limit: int | None, console: rich.console.Console
) -> None:
    """Prints all tables and notes."""
    console.width = max(console.width, WIDTH)
    for config in made:
        for setting, forecasts in config.settings.items():
            console.print(terminal.grid(_table(config, setting, forecasts, limit)))
    if horizon is not None:
        whole = total(cell.forecasts[0].total for config in made for cell in config.cells)
        text = f"All values of {horizon.field} in {horizon.values}, if every cell trains at each of them: "
        console.print(text + duration(whole), highlight=False)
    startup = duration(exactly(made[0].startup or 0.0))
    console.print(f"Start-up, before the first cell: {startup}. The report isn't part of any total.")
    checks = [cell.run_check for config in made for cell in config.cells if cell.run_check]
    for line in [*map(_check_line, checks), *_misfits(made, limit), *_notes(made)]:
        console.print(line, highlight=False, markup=False)


def _table(planned: ConfigForecast, setting: str, forecasts: Sequence[Forecast], limit: int | None) -> Table:
    config, basis = planned.plan.config, forecasts[0].basis
    title = (
        f"{planned.plan.task.name}, {setting}: {several(forecasts[0].seeds, 'seed')}, batches of {config.batch_size}, "
        f"length {planned.plan.task.length}, time {basis}"
    )
    columns = [
        Column("cell", lambda forecast: forecast.cell, "left"),
        Column("units", lambda forecast: f"{forecast.units}"),
        Column("params", lambda forecast: f"{forecast.parameters:,}"),
        Column("compile\ns", lambda forecast: f"{forecast.compile_seconds:.1f}"),
        Column("ms/update\nand seed", lambda forecast: numbers(forecast.update.times(1e3))),
        Column("total time", lambda forecast: duration(forecast.total)),
        Column("memory", lambda forecast: size(forecast.needed)),
        Column("fits", lambda forecast: _fits(forecast.needed, limit)),
    ]
    made = tabulate(columns, zip(forecasts), title)
    if len(forecasts) == 1:
        return made
    most = max(forecast.needed for forecast in forecasts)  # cells train one after the other
    everything = duration(total(forecast.total for forecast in forecasts))
    return dataclasses.replace(
        made, rows=(*made.rows, ("all", "", "", "", "", everything, size(most), _fits(most, limit)))
    )


def _fits(needed: int, limit: int | None) -> str:
    return "unknown" if limit is None else "yes" if needed <= limit else "NO"


def _check_line(check: RunCheck) -> str:
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


def _misfits(made: Sequence[ConfigForecast], limit: int | None) -> list[str]:
    lines = []
    for planned in made:
        for forecast in (f for forecasts in planned.settings.values() for f in forecasts):
            if limit is not None and forecast.needed > limit:
                per_device = busiest(forecast.seeds, forecast.memory.devices)
                batch_size = planned.plan.config.batch_size
                lines.append(
                    f"Doesn't fit, {size(forecast.needed)} of {size(limit)}: "
                    + advice(forecast, limit, batch_size, per_device, has_own_memory())
                )
    return lines


def _notes(made: Sequence[ConfigForecast]) -> list[str]:
    """Explains what is measured and what is predicted."""
    config = made[0].plan.config
    folder = getattr(jax.config, "jax_compilation_cache_dir", None)
    cached = f" (with jax's compilation cache in {folder})" if folder else ""
    kind = "a device" if has_own_memory() else "the process"
    lines = [
        f"Measured: compilation, once each{cached}; updates, by the median and the {COVERED:.0%} range of repeated "
        f"calls; evaluation and test. Predicted: totals, for seeds that all make their last update on a machine as "
        f"busy as it is now. Memory is XLA's plan for {kind}, compiled but not run."
    ]
    if config.patience:
        lines.append(f"config.patience={config.patience} may stop seeds earlier: totals are upper bounds.")
    if config.tune.draws:
        members = config.tune.draws * config.tune.seeds
        lines.append(
            f"Totals hold the tuning: {several(members, 'member')} side by side, {several(config.tune.draws, 'draw')}."
        )
    return lines


def numbers(interval: Interval) -> str:
    return f"{interval.middle:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def duration(interval: Interval) -> str:
    """Formats seconds in the unit that suits the middle, with the interval where it has a width."""
    scale, unit = next(((s, name) for s, name in UNITS if interval.middle >= 2 * s), (1.0, "s"))
    scaled = interval.times(1 / scale)
    text = f"{scaled.middle:.3g}" if interval.low == interval.high else numbers(scaled)
    return f"{text} {unit}"


def size(count: int) -> str:
    return f"{count / MIB / 1024:.3g} GiB" if count >= 1024 * MIB else f"{count / MIB:.0f} MiB"
