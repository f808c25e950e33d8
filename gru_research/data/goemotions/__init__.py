"""GoEmotions as a TFDS builder; `checksums.tsv` holds addresses, sizes and sha256 sums."""

from gru_research.data.goemotions.goemotions_dataset_builder import EMOTIONS, Builder

__all__ = ["EMOTIONS", "Builder"]
