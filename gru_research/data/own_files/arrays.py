"""Reads arrays from NumPy files, without pickle."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files.file_checks import cannot_read, check_memory

FLOAT32 = float(np.finfo(np.float32).max)
"""The largest finite float32."""
_FACTOR = 2  # the stored array and its converted copy are both in memory


def read_npz(path: Path, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Reads the arrays `names` of an .npz file, and the existing ones of `optional`.

    Raises:
      FileError: the file isn't an .npz, is damaged, lacks an array, is too large, or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            there = {name.removesuffix(".npy"): archive.getinfo(name).file_size for name in archive.namelist()}
    except OSError as e:
        raise cannot_read(path, e) from e
    except zipfile.BadZipFile as e:
        raise FileError(f"{path}: is no .npz file ({e})") from e
    for name in names:
        if name not in there:
            raise FileError(f"{path}: lacks the array {name!r}; it has {', '.join(there) or 'none'}")
    wanted = [*names, *(name for name in optional if name in there)]
    check_memory(path, _FACTOR * sum(there[name] for name in wanted), "reading it")
    return {name: _loaded(path, name) for name in wanted}


def read_npy(path: Path) -> np.ndarray:
    """Reads the array of an .npy file. Raises FileError if it isn't one, is damaged, or holds Python objects."""
    try:
        size = path.stat().st_size
    except OSError as e:
        raise cannot_read(path, e) from e
    check_memory(path, _FACTOR * size, "reading it")
    return _loaded(path, "")


def out_of_range(array: np.ndarray) -> np.ndarray:
    """Returns True where numbers aren't finite in float32, the dtype that models read."""
    return ~(np.abs(np.asarray(array, np.float64)) <= FLOAT32)


def _loaded(path: Path, name: str) -> np.ndarray:
    what = f"the array {name!r}" if name else "the array"
    try:
        # An open file, not a path: `with` closes it even if `np.load` fails.
        with path.open("rb") as file:
            content: Any = np.load(file, allow_pickle=False)
            array = content[name] if name else content
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError) as e:
        if "allow_pickle" in str(e):
            raise FileError(f"{path}: {what} holds Python objects, which aren't read: store numbers or texts") from e
        raise FileError(f"{path}: {what} can't be read ({' '.join(str(e).split())[:100]})") from e
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufU":
        raise FileError(f"{path}: {what} is of {getattr(array, 'dtype', type(array).__name__)}, and must be numbers")
    return array
