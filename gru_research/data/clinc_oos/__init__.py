"""CLINC150 as a TFDS builder; `checksums.tsv` holds the address, size and sha256 sum."""

from gru_research.data.clinc_oos.clinc_oos_dataset_builder import OUT_OF_SCOPE, Builder

__all__ = ["OUT_OF_SCOPE", "Builder"]
