"""SCAN's three best-known splits as TFDS builders; `checksums.tsv` holds the address, size and sha256 sum."""

from gru_research.data.scan.scan_dataset_builder import (
    ACTIONS,
    COMMANDS,
    LONGEST_ACTIONS,
    LONGEST_COMMAND,
    Jump,
    Length,
    Simple,
    numbers,
)

__all__ = ["ACTIONS", "COMMANDS", "LONGEST_ACTIONS", "LONGEST_COMMAND", "Jump", "Length", "Simple", "numbers"]
