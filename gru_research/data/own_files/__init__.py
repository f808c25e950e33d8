"""Reads a user's own files: arrays (.npz, .npy), tables (.csv, .tsv) and plain texts.

Every fault raises a `FileError` with one line, `FILE:LINE: what is wrong`. No file can execute code.
"""

from gru_research.data.own_files.arrays import FLOAT32, out_of_range, read_npy, read_npz
from gru_research.data.own_files.file_checks import check_memory, existing_file
from gru_research.data.own_files.tables import DELIMITERS, Table, read_table
from gru_research.data.own_files.texts import read_text

TABLES = tuple(DELIMITERS)
"""The extensions of tables."""

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
