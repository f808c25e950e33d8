"""Checks the order of a series' rows by its column of times."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import Table

DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y",
    "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d-%b-%y",
    "%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y",
)  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
ZONES = ("", "%z")
Parse = Callable[[str], datetime]


def check_order(table: Table, times: str) -> bool:
    """Returns whether the format of a column of times is known: a date in `DATES`, optionally with a time, or numbers.

    Raises:
      FileError: the rows aren't sorted by time, or the numbers only decrease.
    """
    if ordered_times(table, times) is not None:
        return True
    if not table.is_numeric(times):
        return False
    change = np.diff(table.numbers((times,))[:, 0])
    if (change <= 0).all() and (change < 0).any():
        raise FileError(f"{table.path}: {times} falls from row to row: sort the rows from the oldest to the newest")
    return True


def ordered_times(table: Table, times: str) -> list[datetime] | None:
    """Returns a column of times; None if the format isn't a date in `DATES`, optionally with a time.

    If the order of day and month is ambiguous, one interpretation with ordered rows is enough.

    Raises:
      FileError: the rows aren't sorted by time.
    """
    cells = [_plain(cell) for cell in table.texts(times)]
    wrong = []
    for found in _readings(cells):
        place = next((n for n in range(1, len(found)) if found[n] < found[n - 1]), None)
        if place is None:
            return found
        wrong.append(place)
    if wrong:
        row = max(wrong)
        raise FileError(
            f"{table.place(row)}: {times}={table.texts(times)[row]!r} is before the time of the row above: sort the "
            f"rows by time"
        )
    return None


def _plain(cell: str) -> str:
    """Normalises a time: removes commas and the "T" before the time of day, and replaces names of UTC by "Z"."""
    cell = re.sub(r"(?<=\d)T(?=\d)", " ", " ".join(cell.replace(",", " ").split()))
    return re.sub(r" ?(UTC|GMT)$", "Z", cell)


def _readings(cells: Sequence[str]) -> Iterator[list[datetime]]:
    """Yields the times in each format that fits all cells."""
    forms: list[Parse] = [datetime.fromisoformat]
    forms += [partial(_parsed, date + clock + zone) for date in DATES for clock in CLOCKS for zone in ZONES]
    for parse in forms:
        try:
            parse(cells[0])
            found = [parse(cell) for cell in cells]
        except ValueError:
            continue
        if len({time.tzinfo is None for time in found}) == 1:  # times with and without a zone can't be compared
            yield found


def _parsed(form: str, cell: str) -> datetime:
    return datetime.strptime(cell, form)
