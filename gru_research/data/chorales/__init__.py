"""Bach's chorales by voice as a TFDS builder; `checksums.tsv` holds the address, size and sha256 sum."""

from gru_research.data.chorales.chorales_dataset_builder import SILENT, VOICES, Builder

__all__ = ["SILENT", "VOICES", "Builder"]
