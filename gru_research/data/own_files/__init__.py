"""A user's own files, read with care: arrays (.npz, .npy), tables (.csv, .tsv) and plain texts.

Every fault is one line, `FILE:LINE: what is wrong`, of a `FileError`. Nothing that is read can run code.
"""

from gru_research.data.own_files.arrays import FLOAT32, out_of_range, read_npy, read_npz
from gru_research.data.own_files.file_checks import check_memory, existing_file
from gru_research.data.own_files.tables import DELIMITERS, Table, read_table
from gru_research.data.own_files.texts import read_text

TABLES = tuple(DELIMITERS)
"""The endings of tables."""

__all__ = [
    "FLOAT32",
    "TABLES",
    "Table",
    "check_memory",
    "existing_file",
    "out_of_range",
    "read_npy",
    "read_npz",
    "read_table",
    "read_text",
]
