"""The Numenta Anomaly Benchmark, 58 series with labelled anomalies, as a TFDS builder.

`checksums.tsv` holds addresses, sizes and sha256 sums.
"""

from gru_research.data.nab.nab_dataset_builder import SERIES, Builder, read_series, read_windows

__all__ = ["SERIES", "Builder", "read_series", "read_windows"]
