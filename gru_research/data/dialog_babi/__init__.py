"""The dialog bAbI tasks as TFDS builders; `checksums.tsv` holds the address, size and sha256 sum."""

from gru_research.data.dialog_babi.dialog_babi_dataset_builder import (
    ApiCalls,
    Dstc2,
    FullDialogs,
    Options,
    PhoneAddress,
    Refine,
)

__all__ = ["ApiCalls", "Dstc2", "FullDialogs", "Options", "PhoneAddress", "Refine"]
