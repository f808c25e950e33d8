"""Reads a user's own files: arrays (.npz, .npy), tables (.csv, .tsv), plain texts, dialogues, music and
sound.

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
from gru_research.data.own_files.midi import read_midi, write_midi
from gru_research.data.own_files.pieces import MIDI, MUSIC, OwnPiece, four_voices, music_files, read_pieces
from gru_research.data.own_files.sound import WAV, Sound, parse_wav, read_wav, resample
from gru_research.data.own_files.tables import DELIMITERS, Table, as_number, is_missing, read_rows, read_table

TABLES = tuple(DELIMITERS)
"""The extensions of tables."""

__all__ = [
    "FLOAT32",
    "MIDI",
    "MUSIC",
    "RESERVED",
    "SILENCE",
    "TABLES",
    "WAV",
    "Dialogue",
    "Fact",
    "OwnPiece",
    "Sound",
    "Table",
    "Turn",
    "as_number",
    "check_memory",
    "existing_file",
    "four_voices",
    "is_missing",
    "music_files",
    "out_of_range",
    "parse_dialogues",
    "parse_wav",
    "read_dialogues",
    "read_midi",
    "read_npy",
    "read_npz",
    "read_pieces",
    "read_rows",
    "read_table",
    "read_text",
    "read_wav",
    "resample",
    "write_midi",
]
