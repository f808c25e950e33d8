"""ETTh1 and ETTh2, hourly series of two power transformers, as TFDS builders.

`checksums.tsv` holds addresses, sizes and sha256 sums.
"""

from gru_research.data.ett.ett_dataset_builder import COLUMNS, Etth1, Etth2, read_series

__all__ = ["COLUMNS", "Etth1", "Etth2", "read_series"]
