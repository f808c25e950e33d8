"""Uniform error reporting for full disks."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""Error numbers of a full or read-only disk, which are faults of the machine and not of the code or the command."""


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Replaces a full-disk error that the block raises by an OSError that names `folder`."""
    try:
        yield
    except Exception as e:
        number = _number(e)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(folder)) from e


def _number(error: Exception) -> int | None:
    """Returns the disk's error number, or None. tensorstore, which orbax writes with, has it only in the error text."""
    if isinstance(error, OSError):
        return error.errno if error.errno in OF_THE_MACHINE else None
    return next((number for number in OF_THE_MACHINE if os.strerror(number) in str(error)), None)
