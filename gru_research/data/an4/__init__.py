"""CMU's AN4, spelled names and numbers by 84 speakers, as a TFDS builder, which checks the files itself."""

from gru_research.data.an4.an4_dataset_builder import CEPSTRA, Builder, Utterance, read_utterances

__all__ = ["CEPSTRA", "Builder", "Utterance", "read_utterances"]
