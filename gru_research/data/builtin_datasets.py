"""Stored data sets by name: found prepared, or prepared from a folder or the network, and read into memory."""

import contextlib
import io
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests
import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core.constants import get_default_data_dir
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from gru_research.config import UserError, choose
from gru_research.data import mnist, music, scan, tiny_shakespeare
from gru_research.data.check_finite import check_finite

BUILDERS: Mapping[str, type[tfds.core.GeneratorBasedBuilder]] = {
    "mnist": mnist.Builder,
    "music_jsb": music.Jsb,
    "music_musedata": music.MuseData,
    "music_nottingham": music.Nottingham,
    "music_piano_midi": music.PianoMidi,
    "scan_jump": scan.Jump,
    "scan_length": scan.Length,
    "scan_simple": scan.Simple,
    "tiny_shakespeare": tiny_shakespeare.Builder,
}
"""TFDS builders by name. An example of theirs is a block: arrays `[n, ...]` by name, n examples of the data set."""

_PROBE_SECONDS = 5
_REMOVAL_SECONDS = 5


@dataclass(frozen=True)
class DataDirs:
    """`data_dir` holds prepared data sets; "" is TFDS's default, `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.
    `manual_dir` holds the raw files, for machines without a network; "" downloads them."""

    data_dir: str = ""
    manual_dir: str = ""

    def absolute(self) -> dict[str, str]:
        """Both as absolute paths, by name, with the default filled in: what they mean wherever they are read again."""
        manual = str(Path(self.manual_dir).expanduser().absolute()) if self.manual_dir else ""
        return {"data_dir": str(root_of(self).absolute()), "manual_dir": manual}


def load(name: str, dirs: DataDirs = DataDirs(), max_examples: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Reads a data set into memory, after preparing it where that hasn't been done yet.

    Args:
      name: a key of `BUILDERS`.
      dirs: where to look.
      max_examples: only the first so many of every split; 0 is all.

    Returns:
      `{split: {name: array [N, ...]}}`, in the stored order; integers that TFDS widens to int64 are int32.
      mnist: `train` (60,000) and `test` (10,000) with `image` uint8 [N, 28, 28] and `label` int32 [N].
      music_*: `train`, `validation` and `test` with `frames` uint8 [N, T, 11], 88 keys as bits, padded with 0 to the
      longest of the split, and `length` int32 [N].
      scan_*: `train` and `test` with `command` uint8 [N, 9] and `actions` uint8 [N, 48], numbers of words in
      `scan.COMMANDS` and `scan.ACTIONS`, padded with 0, and `command_length` and `actions_length` int32 [N].
      tiny_shakespeare: `train`, `validation` and `test` with `text` uint8 [N], ASCII codes; an example is a character.

    Raises:
      UserError: as `prepare`, and a prepared data set that is damaged or holds floats that aren't finite.
      ValueError: a negative `max_examples`.
    """
    if max_examples < 0:
        raise ValueError(f"max_examples={max_examples} must be 0 or more")
    folder = prepare(name, dirs)
    try:
        with quiet_tfds():
            builder = BUILDERS[name](data_dir=os.fspath(root_of(dirs)))
            splits: Any = builder.as_data_source()
            found = {split: _arrays(blocks, max_examples) for split, blocks in splits.items()}
    except Exception as e:  # array_record, protobuf and TFDS report damage by half a dozen unrelated types
        raise UserError(f"the data set in {folder} is damaged ({one_line(e)}): delete that folder and run again") from e
    for split, arrays in found.items():
        check_finite(arrays, f"the data set in {folder}, split {split!r}")
    return found


def prepare(name: str, dirs: DataDirs = DataDirs()) -> Path:
    """Makes sure that a data set lies prepared in `data_dir` and returns its folder.

    A prepared one is left as it is. The folder appears in one step, complete: whatever interrupts the
    preparation leaves at most a folder `incomplete.*`, which nothing ever reads.

    Raises:
      UserError: an unknown name; raw files that are missing or have a wrong checksum; neither raw files nor
        a network; a `data_dir` that can't be written.
    """
    builder_class = BUILDERS[choose("dataset", name, BUILDERS)]
    root, folder = root_of(dirs), folder_of(name, dirs)
    if os.path.exists(folder):
        return folder
    files = _raw_files(builder_class)
    if dirs.manual_dir:
        _check_manual_dir(name, dirs.manual_dir, files)
    elif not _reachable(next(iter(files.values()))):
        raise UserError(
            f"{name} isn't prepared in {root} and its address can't be reached: run `python -m experiments.prepare "
            f"--dataset={name}` on a machine with a network, or put {', '.join(files)} in a folder and give "
            f"--manual_dir=DIR"
        )
    print(f"preparing {name} in {folder}", flush=True)
    try:
        _download_and_prepare(builder_class, folder, dirs.manual_dir)
    except NonMatchingChecksumError as e:
        wrong = ", ".join(file for file, url in files.items() if url in str(e))
        where = f"in manual_dir={dirs.manual_dir!r}" if dirs.manual_dir else f"from {files.get(wrong)}"
        raise UserError(f"{wrong} {where} has a wrong checksum: get that file again") from e
    except (requests.RequestException, tfds.download.DownloadError) as e:
        raise UserError(f"the download of {name} broke off ({one_line(e)}): run again") from e
    except (OSError, RuntimeError, ValueError) as e:  # array_record's, when the disk is full; the builders' own
        if not os.path.exists(folder):  # else another process was faster, and both wrote the same
            raise UserError(f"{name} can't be prepared in data_dir={os.fspath(root)!r} ({one_line(e)})") from e
    return folder


def folder_of(name: str, dirs: DataDirs) -> Path:
    """Where a data set of `BUILDERS` lies once it is prepared."""
    return root_of(dirs) / BUILDERS[name].name / str(BUILDERS[name].VERSION)


def root_of(dirs: DataDirs) -> Path:
    """The folder that holds prepared data sets."""
    return Path(dirs.data_dir or get_default_data_dir()).expanduser()


def _raw_files(builder_class: type[tfds.core.GeneratorBasedBuilder]) -> dict[str, str]:
    """The addresses of the raw files by file name, as the builder's `checksums.tsv` lists them; where several builders
    share it, those of the builder's `FILES`."""
    url_infos = builder_class.url_infos
    assert url_infos, f"{builder_class.__module__} has no checksums.tsv"
    files = {str(info.filename): url for url, info in url_infos.items()}
    return {file: files[file] for file in getattr(builder_class, "FILES", files)}


def _check_manual_dir(name: str, manual_dir: str, files: Mapping[str, str]) -> None:
    missing = [file for file in files if not os.path.isfile(Path(manual_dir).expanduser() / file)]
    if missing:
        raise UserError(f"manual_dir={manual_dir!r} lacks {', '.join(missing)}: {name} needs {', '.join(files)}")


def _reachable(url: str) -> bool:
    """Whether an address answers soon. In a thread, because looking up a host's name has no time limit of its own."""
    answers = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            answers.append(requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=True).ok)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return answers == [True]


def _download_and_prepare(builder_class: type[tfds.core.GeneratorBasedBuilder], folder: Path, manual_dir: str) -> None:
    """Prepares aside and moves the result into place: a failure leaves nothing of TFDS's in `data_dir`."""
    root = folder.parent.parent
    root.mkdir(parents=True, exist_ok=True)
    with quiet_tfds(), scratch_folder(root) as scratch:
        builder = builder_class(data_dir=scratch)
        builder.download_and_prepare(
            file_format="array_record",
            download_dir=Path(scratch) / "downloads",
            download_config=tfds.download.DownloadConfig(
                manual_dir=manual_dir or None, force_checksums_validation=True
            ),
        )
        folder.parent.mkdir(exist_ok=True)
        os.rename(builder.data_dir, folder)


@contextlib.contextmanager
def scratch_folder(root: Path) -> Iterator[str]:
    """A folder `incomplete.*` in `root` that goes at the end. TFDS lets a file's thread run on when another file's
    download has failed, and it may write while its folder is being removed: that is tried again for some seconds, and
    never hides the failure."""
    folder = tempfile.mkdtemp(prefix="incomplete.", dir=root)
    try:
        yield folder
    finally:
        end = time.monotonic() + _REMOVAL_SECONDS
        while os.path.exists(folder) and time.monotonic() < end:
            shutil.rmtree(folder, ignore_errors=True)
            if os.path.exists(folder):
                time.sleep(0.01)


@contextlib.contextmanager
def quiet_tfds() -> Iterator[None]:
    """TFDS prints to stdout, logs through absl and draws bars, which stay off: there is no asking how they were."""
    tfds.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)


def _arrays(blocks: Sequence[Mapping[str, np.ndarray]], max_examples: int) -> dict[str, np.ndarray]:
    """The first `max_examples` rows (0: all) of the blocks, joined: arrays `[N, ...]` by name."""
    taken: list[Mapping[str, Any]] = []
    rows = 0
    for block in blocks:
        taken.append(block)
        rows += len(next(iter(block.values())))
        if 0 < max_examples <= rows:
            break
    joined = {name: np.concatenate([block[name] for block in taken]) for name in taken[0]}
    return {name: _narrow(array[: max_examples or rows]) for name, array in joined.items()}


def _narrow(array: np.ndarray) -> np.ndarray:
    return array.astype(np.int32) if array.dtype == np.int64 else array


def one_line(error: Exception) -> str:
    """An error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
