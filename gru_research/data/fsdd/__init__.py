"""The Free Spoken Digit Dataset with six speakers as a TFDS builder, which checks the recordings itself."""

from gru_research.data.fsdd.fsdd_dataset_builder import RATE, SPEAKERS, Builder, read_recordings

__all__ = ["RATE", "SPEAKERS", "Builder", "read_recordings"]
