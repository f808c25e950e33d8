"""Multi30k as a TFDS builder; `checksums.tsv` holds addresses, sizes and sha256 sums."""

from gru_research.data.multi30k.multi30k_dataset_builder import LANGUAGES, Builder

__all__ = ["LANGUAGES", "Builder"]
