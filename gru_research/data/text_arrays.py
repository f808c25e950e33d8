"""Texts as two arrays: their UTF-8 bytes, padded to the longest text, and the number of bytes of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.padding import padded


def text_features() -> dict[str, Any]:
    """Returns the TFDS features of the two arrays, `text` and `length`, in a block of texts."""
    return {
        "text": tfds.features.Tensor(shape=(None, None), dtype=np.uint8, encoding="zlib"),
        "length": tfds.features.Tensor(shape=(None,), dtype=np.int32),
    }


def to_arrays(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the bytes uint8 `[N, W]` of N texts, padded with 0 to the longest, and their numbers of bytes `[N]`."""
    encoded = [text.encode() for text in texts]
    lengths = np.array([len(line) for line in encoded], np.int32)
    return padded([np.frombuffer(line, np.uint8) for line in encoded], np.uint8), lengths


def to_texts(text: np.ndarray, length: np.ndarray) -> list[str]:
    """Returns the N texts that `to_arrays` wrote as `text [N, W]` and `length [N]`."""
    return [row[:n].tobytes().decode() for row, n in zip(text, length.tolist(), strict=True)]
