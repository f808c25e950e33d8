"""Stored data sets: prepared once by TFDS without TensorFlow, read into memory, and served as shuffled batches.

`load` returns arrays by split and name. `ShuffledBatches` and `chunk` return batches by training step.
To add a data set, write a builder in its own folder and add one line to `builtin_datasets.BUILDERS`. `open_prepared`
opens any other data set that TFDS prepared. `DiskArrays` reads it at once or batch by batch.
"""

from gru_research.data.batches import ShuffledBatches, chunk
from gru_research.data.builtin_datasets import BUILDERS, DataDirs, folder_of, load, prepare, root_of
from gru_research.data.disk_arrays import DiskArrays, Layout
from gru_research.data.length_buckets import LengthBuckets, length_buckets
from gru_research.data.tfds_datasets import check_splits, examples, open_prepared

__all__ = [
    "BUILDERS",
    "DataDirs",
    "DiskArrays",
    "Layout",
    "LengthBuckets",
    "ShuffledBatches",
    "check_splits",
    "chunk",
    "examples",
    "folder_of",
    "length_buckets",
    "load",
    "open_prepared",
    "prepare",
    "root_of",
]
