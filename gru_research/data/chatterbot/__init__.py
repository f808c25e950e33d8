"""The English ChatterBot corpus as a TFDS builder; `checksums.tsv` holds addresses, sizes and sha256 sums."""

from gru_research.data.chatterbot.chatterbot_dataset_builder import Builder

__all__ = ["Builder"]
