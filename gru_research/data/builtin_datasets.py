"""Loads built-in data sets by name. Prepares them first, from a folder or the network, if necessary."""

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
from gru_research.data import (
    aeslc,
    an4,
    chatterbot,
    chorales,
    clinc_oos,
    dialog_babi,
    ett,
    fsdd,
    goemotions,
    mnist,
    multi30k,
    music,
    nab,
    opinosis,
    scan,
    sst2,
    tiny_shakespeare,
)
from gru_research.data.check_finite import check_finite

BUILDERS: Mapping[str, type[tfds.core.GeneratorBasedBuilder]] = {
    "aeslc": aeslc.Builder,
    "an4": an4.Builder,
    "chatterbot": chatterbot.Builder,
    "chorales": chorales.Builder,
    "clinc_oos": clinc_oos.Builder,
    "dialog_babi_1": dialog_babi.ApiCalls,
    "dialog_babi_2": dialog_babi.Refine,
    "dialog_babi_3": dialog_babi.Options,
    "dialog_babi_4": dialog_babi.PhoneAddress,
    "dialog_babi_5": dialog_babi.FullDialogs,
    "dialog_babi_6": dialog_babi.Dstc2,
    "etth1": ett.Etth1,
    "etth2": ett.Etth2,
    "fsdd": fsdd.Builder,
    "goemotions": goemotions.Builder,
    "mnist": mnist.Builder,
    "multi30k": multi30k.Builder,
    "music_jsb": music.Jsb,
    "music_musedata": music.MuseData,
    "music_nottingham": music.Nottingham,
    "music_piano_midi": music.PianoMidi,
    "nab": nab.Builder,
    "opinosis": opinosis.Builder,
    "scan_jump": scan.Jump,
    "scan_length": scan.Length,
    "scan_simple": scan.Simple,
    "sst2": sst2.Builder,
    "tiny_shakespeare": tiny_shakespeare.Builder,
}
"""TFDS builders by name. One TFDS example is a block of n examples of the data set: arrays `[n, ...]` by name."""

_PROBE_SECONDS = 5
_REMOVAL_SECONDS = 5


@dataclass(frozen=True)
class DataDirs:
    """The folders of data sets.

    Attributes:
      data_dir: the folder of prepared data sets; "" is TFDS's default, `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.
      manual_dir: the folder of the raw files, for machines without a network; "" downloads them.
    """

    data_dir: str = ""
    manual_dir: str = ""

    def absolute(self) -> dict[str, str]:
        """Returns both as absolute paths by name, with the default filled in, for use in another working directory."""
        manual = str(Path(self.manual_dir).expanduser().absolute()) if self.manual_dir else ""
        return {"data_dir": str(root_of(self).absolute()), "manual_dir": manual}


def load(name: str, dirs: DataDirs = DataDirs(), max_examples: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Reads a data set into memory, and prepares it first if necessary.

    Args:
      name: a key of `BUILDERS`.
      dirs: the folders of data sets.
      max_examples: the number of examples to read from the start of every split; 0 reads all.

    Returns:
      `{split: {name: array [N, ...]}}`, in the stored order; int64 arrays are converted to int32.
      aeslc: `train` (14,436 e-mails), `validation` (1,960) and `test` (1,906) with `text` uint8 [N], UTF-8 bytes of
      JSON Lines; an example is a byte; see `aeslc.Builder`.
      an4: `train` (948) and `test` (130) with `frames` float32 [N, T, 13], `frame_count` and `speaker` int32 [N], and
      the transcripts as `text` and `length`; see `an4.Builder`.
      chatterbot: `train` with `text` uint8 [N], UTF-8 bytes of dialogues; an example is a byte.
      chorales: `train` (229), `validation` (76) and `test` (77) with `pitches` int8 [N, T, 4], MIDI pitches of the four
      voices or -1, padded with -1 to the longest of the split, and `length` int32 [N].
      clinc_oos: `train`, `validation`, `test` and `intents` with `text` and `length` as goemotions, and `label` int32
      [N].
      dialog_babi_*: `train`, `validation`, `test`, and in 1 to 5 `test_oov` and `knowledge`, with `text` as chatterbot.
      etth*: `train` (8,640 hours), `validation` and `test` (2,880 each) with `values` float64 [N, 7], columns
      `ett.COLUMNS`.
      fsdd: `recordings` (3,000) with `samples` int16 [N, W], `length`, `digit`, `speaker` and `take` int32 [N]; see
      `fsdd.Builder`.
      goemotions: `train` (43,410), `validation` (5,426) and `test` (5,427) with `text` uint8 [N, W], UTF-8 padded with
      0, `length` int32 [N], its bytes (`text_arrays.to_texts` reads both), and `labels` uint8 [N, 28], 1 for each of
      `goemotions.EMOTIONS` that a comment has.
      mnist: `train` (60,000) and `test` (10,000) with `image` uint8 [N, 28, 28] and `label` int32 [N].
      multi30k: `train` (29,000), `validation` (1,014), `test` and `test_2017` (1,000 each) with `de` and `en` as `text`
      above, and `de_length` and `en_length` as `length`: sentences that translate each other.
      music_*: `train`, `validation` and `test` with `frames` uint8 [N, T, 11], 88 keys as bits, padded with 0 to the
      longest of the split, and `length` int32 [N].
      nab: `points` with `series`, `time`, `value` and `window` [N], a row for each of 365,558 points of the series
      `nab.SERIES`; see `nab.Builder`.
      opinosis: `test` (51 topics) with `text` as aeslc.
      scan_*: `train` and `test` with `command` uint8 [N, 9] and `actions` uint8 [N, 48], numbers of words in
      `scan.COMMANDS` and `scan.ACTIONS`, padded with 0, and `command_length` and `actions_length` int32 [N].
      sst2: `train` (67,349), `validation` (872) and `test` (1,821) with `text` and `length` as above, and `label` int32
      [N], 1 for a positive sentiment.
      tiny_shakespeare: `train`, `validation` and `test` with `text` uint8 [N], ASCII codes; an example is a character.

    Raises:
      UserError: `prepare` raises it, or the prepared data set is damaged or holds floats that aren't finite.
      ValueError: `max_examples` is negative.
    """
    if max_examples < 0:
        raise ValueError(f"max_examples={max_examples} must be 0 or more")
    folder = prepare(name, dirs)
    try:
        with quiet_tfds():
            builder = BUILDERS[name](data_dir=os.fspath(root_of(dirs)))
            splits: Any = builder.as_data_source()
            found = {split: _arrays(blocks, max_examples) for split, blocks in splits.items()}
    except Exception as e:  # array_record, protobuf and TFDS report damage by several unrelated types
        raise UserError(f"the data set in {folder} is damaged ({one_line(e)}): delete that folder and run again") from e
    for split, arrays in found.items():
        check_finite(arrays, f"the data set in {folder}, split {split!r}")
    return found


def prepare(name: str, dirs: DataDirs = DataDirs()) -> Path:
    """Prepares a data set in `data_dir` if necessary, and returns its folder.

    A prepared data set is left unchanged. The complete folder appears atomically. An interrupted preparation leaves at
    most a folder `incomplete.*`, which is never read.

    Raises:
      UserError: the name is unknown; raw files are missing or have a wrong checksum; there are neither raw files nor a
        network; or `data_dir` can't be written.
    """
    builder_class = BUILDERS[choose("dataset", name, BUILDERS)]
    root, folder = root_of(dirs), folder_of(name, dirs)
    if os.path.exists(folder):
        return folder
    files = _raw_files(builder_class)
    if dirs.manual_dir:
        _check_manual_dir(name, dirs.manual_dir, files, getattr(builder_class, "ALTERNATIVES", {}))
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
    except (OSError, RuntimeError, ValueError) as e:  # from array_record, if the disk is full, or from the builders
        if not os.path.exists(folder):  # else another process prepared the same data set first
            raise UserError(f"{name} can't be prepared in data_dir={os.fspath(root)!r} ({one_line(e)})") from e
    return folder


def folder_of(name: str, dirs: DataDirs) -> Path:
    """Returns the folder of a prepared data set of `BUILDERS`."""
    return root_of(dirs) / BUILDERS[name].name / str(BUILDERS[name].VERSION)


def root_of(dirs: DataDirs) -> Path:
    """Returns the folder of prepared data sets."""
    return Path(dirs.data_dir or get_default_data_dir()).expanduser()


def _raw_files(builder_class: type[tfds.core.GeneratorBasedBuilder]) -> dict[str, str]:
    """Returns the addresses of the raw files by file name, from the builder's `checksums.tsv`. A builder with `FILES`
    needs only those files. One with `ARCHIVES` names them itself: it checks what is in them, as their host may compress
    them anew."""
    if archives := getattr(builder_class, "ARCHIVES", None):
        return dict(archives)
    url_infos = builder_class.url_infos
    assert url_infos, f"{builder_class.__module__} has no checksums.tsv"
    files = {str(info.filename): url for url, info in url_infos.items()}
    return {file: files[file] for file in getattr(builder_class, "FILES", files)}


def _check_manual_dir(name: str, manual_dir: str, files: Mapping[str, str], alternatives: Mapping[str, str]) -> None:
    """Raises UserError for files that are missing, unless their `alternatives` are there."""
    folder = Path(manual_dir).expanduser()

    def is_there(file: str) -> bool:
        return any(os.path.isfile(folder / one) for one in (file, alternatives.get(file, file)))

    if missing := [file for file in files if not is_there(file)]:
        raise UserError(f"manual_dir={manual_dir!r} lacks {', '.join(missing)}: {name} needs {', '.join(files)}")


def _reachable(url: str) -> bool:
    """Returns whether an address answers in time. Runs in a thread, because a DNS lookup has no time limit."""
    answers = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            answers.append(requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=True).ok)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return answers == [True]


def _download_and_prepare(builder_class: type[tfds.core.GeneratorBasedBuilder], folder: Path, manual_dir: str) -> None:
    """Prepares in a scratch folder and moves the result, so that a failure leaves no TFDS files in `data_dir`."""
    root = folder.parent.parent
    root.mkdir(parents=True, exist_ok=True)
    with quiet_tfds(), scratch_folder(root) as scratch:
        builder = builder_class(data_dir=scratch)
        builder.download_and_prepare(
            file_format="array_record",
            download_dir=Path(scratch) / "downloads",
            download_config=tfds.download.DownloadConfig(
                manual_dir=manual_dir or None, force_checksums_validation=not hasattr(builder_class, "ARCHIVES")
            ),
        )
        folder.parent.mkdir(exist_ok=True)
        os.rename(builder.data_dir, folder)


@contextlib.contextmanager
def scratch_folder(root: Path) -> Iterator[str]:
    """Creates a folder `incomplete.*` in `root` and removes it at the end. After a failed download, other threads of
    TFDS may still write to the folder. Removal is therefore retried for some seconds, and never hides the failure."""
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
    """Silences TFDS's prints, logs and progress bars. Bars stay off, because TFDS doesn't expose their state."""
    tfds.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)


def _arrays(blocks: Sequence[Mapping[str, np.ndarray]], max_examples: int) -> dict[str, np.ndarray]:
    """Joins the blocks and returns their first `max_examples` rows (0: all): arrays `[N, ...]` by name."""
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
    """Returns an error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
