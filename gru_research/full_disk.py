"""A full disk, said in one way, whoever met it."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""A full disk and the like: nobody's mistake in the code or the command."""


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Raises an OSError that names `folder` in place of any error within it that says a disk is full, or the like."""
    try:
        yield
    except Exception as e:
        number = _number(e)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(folder)) from e


def _number(error: Exception) -> int | None:
    """The error number that an error stands for; tensorstore, which writes for orbax, has it only in its text."""
    if isinstance(error, OSError):
        return error.errno if error.errno in OF_THE_MACHINE else None
    return next((number for number in OF_THE_MACHINE if os.strerror(number) in str(error)), None)
