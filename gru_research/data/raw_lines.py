"""Reads the lines of a data set's raw text file."""

import os


def raw_lines(path: os.PathLike | str) -> list[str]:
    """Returns the lines of a UTF-8 file, without their ends; the last line must have an end too.

    Raises:
      ValueError: the file isn't UTF-8, or its last line is cut off.
    """
    with open(path, "rb") as file:
        return lines_of(file.read(), path)


def lines_of(content: bytes, path: os.PathLike | str) -> list[str]:
    """Returns the lines of a file's `content`. `path` is for errors, which are those of `raw_lines`."""
    try:
        *lines, rest = content.decode().split("\n")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        raise ValueError(f"{os.fspath(path)}:{line}: isn't UTF-8") from e
    if rest:
        raise ValueError(f"{os.fspath(path)}:{len(lines) + 1}: the last line has no end, so the file may be cut off")
    return [line.removesuffix("\r") for line in lines]
