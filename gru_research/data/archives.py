"""Reads files from a tar archive into memory."""

import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath


def read_members(path: os.PathLike | str, key: Callable[[PurePosixPath], str]) -> dict[str, bytes]:
    """Returns the contents of an archive's files by the name that `key` gives each path; files with "" are skipped.

    Raises:
      ValueError: the file isn't a tar archive, or is damaged or cut off.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and (name := key(PurePosixPath(member.name))):
                    file = archive.extractfile(member)
                    assert file is not None, member.name
                    found[name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as e:
        reason = " ".join(f"{type(e).__name__}: {e}".split())[:100]
        raise ValueError(f"{os.fspath(path)} can't be read ({reason})") from e
    return found
