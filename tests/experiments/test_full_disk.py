"""A disk that is really full, on a small file system: one line on stderr, nothing lost, and the run goes on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.crash_tests.run_difference import first_difference
from gru_research import records
from gru_research.config import UserError
from gru_research.full_disk import full_disk_named
from gru_research.runs.lock import locked
from gru_research.training import checkpoint

ROOT = Path(__file__).parents[2]
TINY = (
    "only=gru,match=none,cells.gru.hidden_size=3,cells.lstm.hidden_size=3,cells.rnn.hidden_size=3,updates=20,"
    "eval_every=1,seeds=2,batch_size=4,select=best,tune.draws=2,tune.updates=4,"
    "task.length=4,task.validation_size=10,task.test_size=10"
)
KIB = 1024


def compare(workdir: Path, checkpoint_seconds: float = 100.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.compare", f"--config=configs/adding.py:{TINY}"]
    command += [f"--workdir={workdir}", f"--checkpoint_seconds={checkpoint_seconds}"]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("whole") / "run"
    done = compare(workdir)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return workdir


@pytest.fixture
def disk() -> Iterator[Path]:
    """The folder of a file system of 8 MiB, which lives as long as a process in a mount namespace of its own."""
    mount = "mount -t tmpfs -o size=8m tmpfs /mnt && echo mounted && exec sleep infinity"
    try:
        holder = subprocess.Popen(
            ["unshare", "-rm", "sh", "-c", mount], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        pytest.skip("a full disk needs Linux's unshare, which isn't here")
    with holder:
        assert holder.stdout is not None and holder.stderr is not None
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"a full disk needs a mount, which isn't allowed here: {holder.stderr.read().strip()}")
        yield Path(f"/proc/{holder.pid}/root/mnt")
        holder.kill()


def leave(disk: Path, kibibytes: int | None) -> None:
    """Fills the disk up to so much free space; None frees all."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    if kibibytes is not None:
        free = os.statvfs(disk)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - kibibytes * KIB))


def refused(disk: Path, kibibytes: int, checkpoint_seconds: float = 100.0) -> None:
    """With so little free the run ends with one line, besides the one that says where it goes on."""
    leave(disk, kibibytes)
    done = compare(disk / "run", checkpoint_seconds)
    said = [line for line in done.stderr.splitlines() if not line.startswith("going on with")]
    assert done.returncode == 2, done.stderr
    assert len(said) == 1 and str(disk / "run") in said[0] and "No space left on device" in said[0], done.stderr


def kinds(run: Path) -> list[str]:
    return [record.kind for record in records.read(run / records.FILE_NAME).in_order]


@pytest.mark.processes
def test_a_run_that_meets_a_full_disk_at_every_stage_ends_alike(whole: Path, disk: Path) -> None:
    run = disk / "run"
    snapshots = checkpoint.unfinished(run, "gru")

    refused(disk, 0)  # not even what the lock says of its holder
    assert not (run / "config.json").exists()
    refused(disk, 8)  # the lock and the config, but no header
    assert (run / "config.json").exists() and not (run / records.FILE_NAME).exists()
    refused(disk, 8)  # the header and some records
    assert kinds(run)[0] == "run" and "result" not in kinds(run)
    refused(disk, 40)  # the 20 of all of training's records, but not the 50 of the parameters
    assert kinds(run).count("evaluation") == 2 * 21 and "result" not in kinds(run)
    assert not (run / "checkpoints" / "gru").exists() and not snapshots.exists()
    refused(disk, 160, checkpoint_seconds=0.0)  # a snapshot or two, and the next one fails in the background
    steps = [int(path.name) for path in (snapshots / "tuning").iterdir() if path.name.isdigit()]
    assert steps

    leave(disk, None)
    done = compare(run)
    assert done.returncode == 0, done.stderr
    assert f"going on with gru, tuning, update {max(steps)}" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert first_difference(whole, run, ("gru",)) == ""

    before = (run / records.FILE_NAME).read_bytes()
    refused(disk, 0)  # the report, which is made again
    assert (run / records.FILE_NAME).read_bytes() == before


def test_a_lock_that_cannot_be_written_names_the_directory(disk: Path) -> None:
    leave(disk, 0)
    with pytest.raises(UserError, match="can't be written: No space left on device"), locked(disk / "run"):
        pytest.fail("it was locked")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        ValueError("RESOURCE_EXHAUSTED: Failed to write 188 bytes: No space left on device [os_error_code='28']"),
    ],
)
def test_whoever_meets_it_the_directory_is_named(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught, full_disk_named(tmp_path):
        raise error
    assert caught.value.filename == str(tmp_path) and caught.value.__cause__ is error


@pytest.mark.parametrize("error", [OSError(2, "No such file or directory"), ValueError("a mistake"), KeyError("x")])
def test_other_errors_stay_as_they_are(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, full_disk_named(tmp_path):
        raise error
    assert caught.value is error
