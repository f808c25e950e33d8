"""A text by Shakespeare as a TFDS builder; `checksums.tsv` holds the address, size and sha256 sum."""

from gru_research.data.tiny_shakespeare.tiny_shakespeare_dataset_builder import Builder

__all__ = ["Builder"]
