"""Raw data in archives: where the archive is, and its files in memory."""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import tensorflow_datasets as tfds


def raw_archive(dl_manager: tfds.download.DownloadManager, address: str, *names: str) -> os.PathLike:
    """Returns the path of an archive: the first of `names` in the folder of raw files, or the download of `address`."""
    try:
        folder = Path(dl_manager.manual_dir)
    except AssertionError:  # so TFDS says that no folder was given
        path: os.PathLike = dl_manager.download(address)
        return path
    return next(folder / name for name in names if (folder / name).exists())


def read_members(path: os.PathLike | str, key: Callable[[PurePosixPath], str]) -> dict[str, bytes]:
    """Returns the contents of the files in a tar or zip archive by the name that `key` gives each path; files with ""
    are skipped.

    Raises:
      ValueError: the file is no archive, or is damaged or cut off.
    """
    try:
        return {name: content for where, content in _files(path, key) if (name := key(where))}
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, zlib.error) as e:
        reason = " ".join(f"{type(e).__name__}: {e}".split())[:100]
        raise ValueError(f"{os.fspath(path)} can't be read ({reason})") from e


def _files(path: os.PathLike | str, key: Callable[[PurePosixPath], str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yields the files that `key` doesn't skip."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if key(PurePosixPath(name)):
                    yield PurePosixPath(name), archive.read(name)
        return
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isfile() and key(PurePosixPath(member.name)):
                file = tar.extractfile(member)
                assert file is not None, member.name
                yield PurePosixPath(member.name), file.read()
