"""Stored data sets: prepared once by TFDS without TensorFlow, read into memory, handed out as shuffled batches.

`load` gives arrays by split and name; `ShuffledBatches` and `chunk` give batches by training step.
A new data set is a builder in a folder of its own and one line in `sources.BUILDERS`.
"""

from gru_research.data.batches import ShuffledBatches, chunk
from gru_research.data.sources import BUILDERS, DataDirs, load, prepare

__all__ = ["BUILDERS", "DataDirs", "ShuffledBatches", "chunk", "load", "prepare"]
