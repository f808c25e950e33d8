"""What a trained run is asked, from a file like the one that it was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_research.config import FileError
from gru_research.data.own_files import read_table

from .format_inference import Format
from .timestamps import check_order


def inputs_array(learned: Mapping[str, Any]) -> str:
    """The name of the inputs' array in an .npz: "inputs", unless training read another one."""
    return learned["reading"]["arrays"][0] if "reading" in learned else "inputs"


def from_table(learned: Mapping[str, Any], path: Path) -> list[Any] | None:
    """The raw inputs of a .csv or .tsv file with the columns that training read, whatever others it has: a text or a
    sequence a row, or one series. None: the run wasn't trained on a table.

    Raises:
      FileError: a column that isn't there, a series whose rows are out of order, and what `read_table` raises.
    """
    reading = Format(**learned["reading"]) if "reading" in learned else None
    if reading is None or not reading.inputs:
        return None
    table = read_table(path)
    for column in reading.inputs:
        if column not in table.header:
            raise FileError(f"{path}: has no column {column!r}, which was trained on; it has {', '.join(table.header)}")
    if reading.form == "sentences":
        return table.texts(reading.inputs[0])
    if reading.times in table.header:
        check_order(table, reading.times)
    numbers = table.numbers(reading.inputs)
    return [numbers] if reading.form == "series" else list(numbers)
