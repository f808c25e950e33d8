"""Locks a run's directory, so that one process uses it at a time."""

import contextlib
import fcntl
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from gru_research.config import UserError

FILE_NAME = ".lock"


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Makes the directory and locks it. The kernel releases the lock when the process ends for any reason.

    The file is never removed: otherwise two processes could lock two files of that name.

    Raises:
      UserError: another process holds the lock, or the directory can't be written.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        # Unbuffered: on a full disk, closing the file would try to write the buffer again.
        file = (workdir / FILE_NAME).open("a+b", buffering=0)
    except FileExistsError as e:
        raise UserError(f"workdir={str(workdir)!r} is a file: choose another") from e
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            file.seek(0)
            holder = file.read().decode("utf-8", "replace").strip() or "unknown"
            raise UserError(
                f"workdir={str(workdir)!r} is in use by another process ({holder}): wait for it, or choose another"
            ) from e
        except OSError as e:  # some network file systems
            raise UserError(f"workdir={str(workdir)!r} can't be locked by flock: {e.strerror}; choose another") from e
        try:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}\n".encode())
        except OSError as e:
            raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e
        yield
