"""MNIST from its raw files to arrays: equal to an independent parse; every fault is one line and leaves nothing."""

import contextlib
import functools
import gzip
import http.server
import itertools
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds
from absl import logging

from gru_research.config import UserError
from gru_research.data import DataDirs, builtin_datasets, load, prepare
from gru_research.data.mnist import Builder, mnist_dataset_builder
from tests.faults import fault, seen

ROOT = Path(__file__).resolve().parents[2]
PREFIX = {"train": "train", "test": "t10k"}
LABEL_COUNTS = {  # how often each digit occurs
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
FILES = sorted(f"{prefix}-{kind}-ubyte.gz" for prefix in PREFIX.values() for kind in ("images-idx3", "labels-idx1"))


@pytest.fixture
def raw_copy(mnist_manual_dir: str, tmp_path: Path) -> Path:
    """A copy of the raw files, to be damaged."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for file in FILES:
        shutil.copyfile(f"{mnist_manual_dir}/{file}", folder / file)
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that refuses every connection stands for a machine without a network."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def served(raw_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The raw files behind local addresses that the builder believes in; returns the folder that is served."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(raw_copy)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url_infos = {f"{host}/{info.filename}": info for info in (Builder.url_infos or {}).values()}
    monkeypatch.setattr(Builder, "url_infos", url_infos)
    yield raw_copy
    server.shutdown()
    server.server_close()


def user_error(function: Callable[[], object]) -> str:
    """The message of the UserError that `function` raises, which must be one line."""
    with pytest.raises(UserError) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    return message


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def entries(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("split", ["train", "test"])
def test_arrays_equal_an_independent_parse(mnist_data_dir: str, mnist_manual_dir: str, split: str) -> None:
    arrays = load("mnist", DataDirs(mnist_data_dir))[split]
    with gzip.open(f"{mnist_manual_dir}/{PREFIX[split]}-images-idx3-ubyte.gz") as file:
        image = np.frombuffer(file.read()[16:], np.uint8).reshape(-1, 28, 28)
    with gzip.open(f"{mnist_manual_dir}/{PREFIX[split]}-labels-idx1-ubyte.gz") as file:
        label = np.frombuffer(file.read()[8:], np.uint8)
    assert arrays["image"].dtype == np.uint8 and arrays["label"].dtype == np.int32
    np.testing.assert_array_equal(arrays["image"], image)
    np.testing.assert_array_equal(arrays["label"], label)
    assert np.bincount(arrays["label"]).tolist() == LABEL_COUNTS[split]


@pytest.mark.parametrize("max_examples", [1, 1000, 2500])
def test_max_examples_takes_the_first_of_every_split(mnist_data_dir: str, max_examples: int) -> None:
    everything = load("mnist", DataDirs(mnist_data_dir))
    for split, arrays in load("mnist", DataDirs(mnist_data_dir), max_examples).items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, everything[split][name][:max_examples])
    with pytest.raises(ValueError, match="max_examples=-1"):
        load("mnist", DataDirs(mnist_data_dir), -1)


def test_tfds_sees_the_builder_under_a_name_of_its_own(mnist_data_dir: str) -> None:
    assert Builder.name != "mnist"  # the stock builder's
    (folder,) = Path(mnist_data_dir).glob("*/*")
    assert folder == prepare("mnist", DataDirs(mnist_data_dir))
    assert tfds.builder_from_directory(str(folder)).info.splits["train"].num_examples == 60


def test_launcher_in_a_fresh_process_prints_two_lines_and_imports_no_tensorflow(
    mnist_manual_dir: str, tmp_path: Path
) -> None:
    stand_in = tmp_path / "path" / "tensorflow"  # without it this test passes wherever TensorFlow isn't installed
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").write_text("raise SystemExit('tensorflow was imported')")
    arguments = ["--dataset=mnist", f"--data_dir={tmp_path / 'data'}", f"--manual_dir={mnist_manual_dir}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(stand_in.parent), str(ROOT)])}
    command = [sys.executable, "-m", "experiments.prepare", *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    first, second = result.stdout.splitlines()
    folder = tmp_path / "data" / Builder.name / "1.0.0"
    assert first == f"preparing mnist in {folder}"
    assert second == f"mnist is prepared in {folder}: 60,000 train, 10,000 test examples"


@fault("signals", "kill -9 while data are prepared")
def test_killed_at_the_last_moment_isnt_prepared(mnist_manual_dir: str, tmp_path: Path, offline: None) -> None:
    program = f"""
import os, signal
from gru_research.data import DataDirs, prepare
rename = os.rename
def killing_rename(source, target):
    if "incomplete." not in str(target):  # TFDS itself renames inside that folder
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.rename = killing_rename
prepare("mnist", DataDirs({str(tmp_path)!r}, {mnist_manual_dir!r}))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert result.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("incomplete.*/*/1.0.0/dataset_info.json"))) == 1  # complete, but not in its place
    message = user_error(lambda: load("mnist", DataDirs(str(tmp_path))))
    assert "isn't prepared" in message
    seen(message, ends="2")
    assert len(load("mnist", DataDirs(str(tmp_path), mnist_manual_dir), 1)) == 2


def test_another_process_that_was_faster_is_no_error(
    mnist_data_dir: str, mnist_manual_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare("mnist", DataDirs(mnist_data_dir))
    rename = os.rename

    def slow_rename(source: str, target: str) -> None:
        if "incomplete." not in str(target):  # TFDS itself renames inside that folder
            shutil.copytree(prepared, target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", slow_rename)
    folder = prepare("mnist", DataDirs(str(tmp_path), mnist_manual_dir))
    assert entries(tmp_path)[:2] == [Builder.name, f"{Builder.name}/1.0.0"]  # nothing else at the top
    assert entries(folder) == entries(prepared)


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_wrong_checksum_leaves_nothing_and_isnt_remembered(
    raw_copy: Path, mnist_manual_dir: str, tmp_path: Path, damage: Callable[[Path], None], file: str
) -> None:
    damage(raw_copy / file)
    data_dir = tmp_path / "data"
    message = user_error(lambda: load("mnist", DataDirs(str(data_dir), str(raw_copy))))
    assert message == f"{file} in manual_dir={str(raw_copy)!r} has a wrong checksum: get that file again"
    assert entries(data_dir) == []
    if file.startswith("t10k"):  # the mended file
        shutil.copyfile(f"{mnist_manual_dir}/{file}", raw_copy / file)
        assert len(load("mnist", DataDirs(str(data_dir), str(raw_copy)), 1)) == 2


@fault("data", "a missing raw file")
def test_missing_raw_file_is_named_before_anything_is_touched(raw_copy: Path, tmp_path: Path) -> None:
    (raw_copy / FILES[0]).unlink()
    message = user_error(lambda: load("mnist", DataDirs(str(tmp_path / "data"), str(raw_copy))))
    assert message.startswith(f"manual_dir={str(raw_copy)!r} lacks {FILES[0]}: ")
    seen(message, ends="2")
    assert not (tmp_path / "data").exists()


@fault("data", "a directory for data that can't be written")
def test_unwritable_data_dir(mnist_manual_dir: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # a path below a regular file: root can't write there either
    data_dir = str(tmp_path / "file" / "data")
    message = user_error(lambda: load("mnist", DataDirs(data_dir, mnist_manual_dir)))
    assert f"can't be prepared in data_dir={data_dir!r}" in message and "Not a directory" in message
    seen(message, ends="2")


@fault("data", "a disk that fills up while data are prepared")
def test_disk_that_fills_up(mnist_manual_dir: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))  # a limit on files stands for one of the disk
    try:
        message = user_error(lambda: load("mnist", DataDirs(str(tmp_path / "data"), mnist_manual_dir)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "can't be prepared in data_dir=" in message and "File too large" in message
    seen(message, ends="2")
    assert entries(tmp_path / "data") == []


def test_offline_fails_at_once_and_says_what_to_do(tmp_path: Path, offline: None) -> None:
    start = time.monotonic()
    message = user_error(lambda: load("mnist", DataDirs(str(tmp_path / "data"))))
    assert time.monotonic() - start < 10
    assert "`python -m experiments.prepare --dataset=mnist`" in message and "--manual_dir=DIR" in message
    assert all(file in message for file in FILES)
    assert not (tmp_path / "data").exists()


@fault("data", "a network that never answers")
def test_network_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def hang(*args: object, **kwargs: object) -> None:  # as looking up a host's name does
        end.wait(60)
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", hang)
    monkeypatch.setattr(builtin_datasets, "_PROBE_SECONDS", 0.1)
    start = time.monotonic()
    message = user_error(lambda: load("mnist", DataDirs(str(tmp_path))))
    assert "can't be reached" in message
    seen(message, ends="2")
    assert time.monotonic() - start < 5
    end.set()


def test_download_keeps_the_prepared_set_alone(served: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    arrays = load("mnist", DataDirs(str(data_dir)), 2)
    assert arrays["train"]["label"].tolist() == [5, 0]
    assert [path.name for path in data_dir.iterdir()] == [Builder.name]


@fault("data", "a download with a wrong checksum")
def test_corrupted_download_leaves_nothing_and_isnt_remembered(
    served: Path, mnist_manual_dir: str, tmp_path: Path
) -> None:
    file = "t10k-labels-idx1-ubyte.gz"
    flip_byte(served / file)
    message = user_error(lambda: load("mnist", DataDirs(str(tmp_path / "data"))))
    assert message.startswith(f"{file} from http://127.0.0.1") and "wrong checksum" in message
    seen(message.replace(re.findall(r"http://[^ ]*/", message)[0], "ADDRESS"), ends="2")
    assert entries(tmp_path / "data") == []
    shutil.copyfile(f"{mnist_manual_dir}/{file}", served / file)
    assert len(load("mnist", DataDirs(str(tmp_path / "data")), 1)) == 2


def test_a_thread_that_still_writes_neither_keeps_the_scratch_folder_nor_hides_the_failure(tmp_path: Path) -> None:
    """As TFDS's threads do when one of several downloads has failed."""

    def write(folder: str) -> None:
        end = time.monotonic() + 0.5
        with contextlib.suppress(FileNotFoundError):  # once the folder is gone
            for number in itertools.takewhile(lambda _: time.monotonic() < end, itertools.count()):
                os.mkdir(f"{folder}/downloads/{number}")

    threads: list[threading.Thread] = []

    def prepare_and_fail() -> None:
        with builtin_datasets.scratch_folder(tmp_path) as folder:
            os.mkdir(f"{folder}/downloads")
            threads.append(threading.Thread(target=write, args=(folder,)))
            threads[0].start()
            raise ValueError("the download's")

    with pytest.raises(ValueError, match="the download's"):
        prepare_and_fail()
    threads[0].join()
    assert entries(tmp_path) == []


@fault("data", "a download that breaks off")
def test_download_that_breaks_off(served: Path, tmp_path: Path) -> None:
    (served / "train-images-idx3-ubyte.gz").unlink()  # the probe asks for another file
    message = user_error(lambda: load("mnist", DataDirs(str(tmp_path / "data"))))
    assert message.startswith("the download of mnist broke off") and "404" in message
    seen(re.sub(r"http://[^ ]*/", "ADDRESS/", message), ends="2")
    assert entries(tmp_path / "data") == []


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [cut_in_half, flip_byte, remove], ids=["cut", "flipped", "missing"])
@pytest.mark.parametrize("file", ["*-train.array_record*", "dataset_info.json"])
def test_damaged_prepared_set_names_its_folder(
    mnist_data_dir: str, tmp_path: Path, damage: Callable[[Path], None], file: str
) -> None:
    shutil.copytree(mnist_data_dir, tmp_path, dirs_exist_ok=True)
    folder = prepare("mnist", DataDirs(str(tmp_path)))
    (path,) = folder.glob(file)
    damage(path)
    message = user_error(lambda: load("mnist", DataDirs(str(tmp_path))))
    assert message.startswith(f"the data set in {folder} is damaged (")
    assert message.endswith("): delete that folder and run again")


def test_unknown_name_gives_the_choices() -> None:
    assert "'mnits' is unknown; did you mean 'mnist'?; choose from aeslc, an4, chatterbot, " in user_error(
        lambda: load("mnits")
    )


def test_default_data_dir_is_that_of_tfds(mnist_data_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", mnist_data_dir)
    assert prepare("mnist").is_relative_to(mnist_data_dir)


def test_nothing_global_is_left_changed(raw_copy: Path, tmp_path: Path) -> None:
    before = (sys.stdout, logging.get_verbosity())
    flip_byte(raw_copy / FILES[0])
    user_error(lambda: load("mnist", DataDirs(str(tmp_path), str(raw_copy))))
    assert (sys.stdout, logging.get_verbosity()) == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (struct.pack(">4I", 2049, 1, 2, 2) + bytes(4), "magic number 2049"),
        (struct.pack(">4I", 2051, 1, 2, 2) + bytes(3), "3 bytes of data"),
        (struct.pack(">4I", 2051, 1, 2, 2) + bytes(5), "5 bytes of data"),
        (struct.pack(">2I", 2051, 1), "a header of 16"),
    ],
)
def test_idx_header_must_fit_the_content(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=says):
        mnist_dataset_builder.read_idx(path, axes=3)


def test_images_and_labels_must_agree(tmp_path: Path) -> None:
    images, labels = tmp_path / "images.gz", tmp_path / "labels.gz"
    images.write_bytes(gzip.compress(struct.pack(">4I", 2051, 3, 28, 28) + bytes(3 * 28 * 28)))
    labels.write_bytes(gzip.compress(struct.pack(">2I", 2049, 2) + bytes(2)))
    builder = Builder(data_dir=str(tmp_path))
    with pytest.raises(ValueError, match="expected 3 of each"):
        list(builder._generate_examples(images, labels, 3))


def test_probe_follows_what_requests_says(served: Path) -> None:
    (url, *_) = Builder.url_infos or {}
    assert requests.head(url).ok and builtin_datasets._reachable(url)
    assert not builtin_datasets._reachable(f"{url}.missing")
