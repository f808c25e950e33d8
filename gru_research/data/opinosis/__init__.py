"""Opinosis as a TFDS builder, which checks the contents of the archive itself."""

from gru_research.data.opinosis.opinosis_dataset_builder import Builder, read_topics

__all__ = ["Builder", "read_topics"]
