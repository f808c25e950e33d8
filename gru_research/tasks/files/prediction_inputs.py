"""Reads a trained run's inputs for prediction from a file with the format of the training file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_research.config import FileError
from gru_research.data.own_files import read_table

from .format_inference import Format
from .timestamps import check_order


def inputs_array(learned: Mapping[str, Any]) -> str:
    """Returns the name of the input array in an .npz: "inputs", unless training used another name."""
    return learned["reading"]["arrays"][0] if "reading" in learned else "inputs"


def from_table(learned: Mapping[str, Any], path: Path) -> list[Any] | None:
    """Returns the raw inputs of a .csv or .tsv file: a text or a sequence for each row, or one series. Columns that
    training didn't read are ignored. Returns None if the run reads neither texts in a `text_column` nor a table.

    Raises:
      FileError: a column is missing, the rows of a series are out of order, or `read_table` raises it.
    """
    if "text_column" in learned:
        reading = Format("sentences", "classification", [learned["text_column"]])
    else:
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
