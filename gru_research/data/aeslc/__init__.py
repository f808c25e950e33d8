"""The Annotated Enron Subject Line Corpus as a TFDS builder, which checks the contents of the archive itself."""

from gru_research.data.aeslc.aeslc_dataset_builder import Builder, Mail, read_mails

__all__ = ["Builder", "Mail", "read_mails"]
