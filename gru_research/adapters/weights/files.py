"""Reads and writes safetensors, the files of named arrays that PyTorch, Hugging Face and others use."""

import importlib
import os
from collections.abc import Mapping
from types import ModuleType

import numpy as np

from gru_research.types import ArrayLike


def load_safetensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Returns all arrays of the file by name, in the file's types, for `from_library`.

    Raises ValueError if the file is damaged, and ImportError if the package `safetensors` is missing.
    """
    files, damage = _safetensors(), importlib.import_module("safetensors").SafetensorError
    try:
        return dict(files.load_file(os.fspath(path)))
    except damage as e:
        raise ValueError(f"{os.fspath(path)} can't be read as a safetensors file ({e})") from e


def save_safetensors(
    weights: Mapping[str, ArrayLike], path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a flat mapping of arrays, such as `to_library` returns for PyTorch, and descriptive texts as `metadata`.

    Raises ValueError for a nested mapping, and ImportError if the package `safetensors` is missing.
    """
    nested = [name for name, value in weights.items() if isinstance(value, Mapping | list | tuple)]
    if nested:
        raise ValueError(f"weights hold more than arrays under {', '.join(nested)}; a safetensors file is flat")
    # safetensors writes raw memory. In a transposed view, that isn't in the order of its shape.
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    _safetensors().save_file(arrays, os.fspath(path), metadata=None if metadata is None else dict(metadata))


def _safetensors() -> ModuleType:
    try:
        return importlib.import_module("safetensors.numpy")
    except ModuleNotFoundError as error:
        message = "safetensors files need the package safetensors: install the extra, gru_research[safetensors]"
        raise ImportError(message) from error
