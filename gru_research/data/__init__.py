"""Stored data sets: prepared once by TFDS without TensorFlow, read into memory, handed out as shuffled batches.

`load` gives arrays by split and name; `ShuffledBatches` and `chunk` give batches by training step.
To add a data set, write a builder in a folder of its own and one line in `builtin_datasets.BUILDERS`. `open_prepared`
finds any other data set that TFDS prepared; `DiskArrays` reads it, at once or batch by batch.
"""

from gru_research.data.batches import ShuffledBatches, chunk
from gru_research.data.builtin_datasets import BUILDERS, DataDirs, folder_of, load, prepare, root_of
from gru_research.data.disk_arrays import DiskArrays, Layout
from gru_research.data.tfds_datasets import check_splits, examples, open_prepared

__all__ = [
    "BUILDERS",
    "DataDirs",
    "DiskArrays",
    "Layout",
    "ShuffledBatches",
    "check_splits",
    "chunk",
    "examples",
    "folder_of",
    "load",
    "open_prepared",
    "prepare",
    "root_of",
]
