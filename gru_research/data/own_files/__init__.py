"""Reads a user's own files: arrays (.npz, .npy), tables (.csv, .tsv), plain texts and dialogues.

Every fault raises a `FileError` with one line, `FILE:LINE: what is wrong`. No file can execute code.
"""

from gru_research.data.own_files.arrays import FLOAT32, out_of_range, read_npy, read_npz
from gru_research.data.own_files.dialogues import (
    RESERVED,
    SILENCE,
    Dialogue,
    Fact,
    Turn,
    parse_dialogues,
    read_dialogues,
)
from gru_research.data.own_files.file_checks import check_memory, existing_file, read_text
from gru_research.data.own_files.tables import DELIMITERS, Table, as_number, read_rows, read_table

TABLES = tuple(DELIMITERS)
"""The extensions of tables."""

__all__ = [
    "FLOAT32",
    "RESERVED",
    "SILENCE",
    "TABLES",
    "Dialogue",
    "Fact",
    "Table",
    "Turn",
    "as_number",
    "check_memory",
    "existing_file",
    "out_of_range",
    "parse_dialogues",
    "read_dialogues",
    "read_npy",
    "read_npz",
    "read_rows",
    "read_table",
    "read_text",
]
