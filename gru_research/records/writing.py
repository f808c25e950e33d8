"""Appending records to a file, and files that are there whole or not at all."""

import errno
import os
from pathlib import Path
from typing import TextIO

from .json_lines import line_of
from .kinds import Header, Record


class Writer:
    """Appends records to a file; each line is flushed, so that a killed run keeps what it wrote.

    `Writer.begin` and `Writer.go_on` make one.
    """

    def __init__(self, path: Path, lines: int):
        self.lines = lines
        self._file: TextIO = path.open("a", encoding="utf-8")

    @classmethod
    def begin(cls, path: Path, header: Header) -> "Writer":
        """A new file with its header, which is there whole or not at all.

        Raises FileExistsError where the file is there already: two runs never share one.
        """
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        write_whole(path, line_of(header))
        return cls(path, 1)

    @classmethod
    def go_on(cls, path: Path, keep: int, header: Header) -> "Writer":
        """The file with its first `keep` lines alone, the first of them replaced by this header."""
        kept = path.read_text(encoding="utf-8").split("\n")[1:keep]
        write_whole(path, line_of(header) + "".join(line + "\n" for line in kept))
        return cls(path, keep)

    def write(self, record: Record) -> None:
        self._file.write(line_of(record))
        self._file.flush()
        self.lines += 1

    def sync(self) -> int:
        """Returns how many lines there are, when they are on disk and not only on their way."""
        os.fsync(self._file.fileno())
        return self.lines

    def close(self) -> None:
        self._file.close()


def write_whole(path: Path, content: str | bytes) -> None:
    """A file that is there whole or as it was before, also after a crash or on a full disk."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
