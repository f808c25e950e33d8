"""SST-2 as a TFDS builder; `checksums.tsv` holds addresses, sizes and sha256 sums."""

from gru_research.data.sst2.sst2_dataset_builder import Builder

__all__ = ["Builder"]
