"""Submits a launcher's own command as a Slurm job, follows the job until it ends, and stops it at Ctrl-C.

WORKDIR/slurm/NAME.log          what the job's command printed
WORKDIR/slurm/NAME.status       its exit status, once it has ended
WORKDIR/slurm/jobs.json         the jobs, by which the same command finds them again
WORKDIR/slurm/submitit-XXXX/    submitit's files, and what Slurm's own commands printed
"""

import dataclasses
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from absl import flags

from experiments.cli.config_files import literal, load, split_spec
from experiments.cli.launcher import command
from experiments.cli.stop_signal import StopSignal
from experiments.sweeps import engines, subprocess_limits
from gru_research import records
from gru_research.config import UserError
from gru_research.plural import several
from gru_research.runs.directory import SUBMISSIONS

from . import options
from .jobs import SlurmJobs

ENGINES = ("local", "slurm")
JOBS_FILE = "jobs.json"
POLL_SECONDS = 0.5
STOP_SECONDS = subprocess_limits.TERM_SECONDS + 15
STOPPED = tuple(128 + number for number in (signal.SIGTERM, signal.SIGINT))


def define_flags(array: str = "") -> None:
    """Defines the flags of launchers that can submit themselves. `array` says what --array spreads, if anything."""
    flags.DEFINE_enum("engine", "local", list(ENGINES), "slurm: submit this command as a job, and follow it.")
    flags.DEFINE_string("slurm", "", "options of the jobs: configs/slurm/FILE.py[:variant,field=value].")
    flags.DEFINE_bool("dry_run", False, "with --engine=slurm: print the submission script, and stop.")
    if array:
        flags.DEFINE_bool("array", False, f"with --engine=slurm: a job for each of {array}, side by side.")


def is_asked() -> bool:
    """Returns whether --engine=slurm submits the command. Then this process only checks, and uses no accelerator.

    Raises:
      UserError: submitit isn't installed, or flags of a job are given without --engine=slurm.
    """
    values = flags.FLAGS
    if values.engine != "slurm":
        for name in ("slurm", "dry_run", "array"):
            if name in values and values[name].value:
                raise UserError(f"--{name} needs --engine=slurm")
        return False
    engines.check_installed("slurm")
    for name in ("distributed", "coordinator"):
        if name in values and values[name].value:
            raise UserError(f"--{name} is for several processes, and --engine=slurm submits one: leave one of them out")
    jax.config.update("jax_platforms", "cpu")
    return True


def is_dry() -> bool:
    """Returns whether only the submission script is asked for."""
    return flags.FLAGS.dry_run


def is_spread() -> bool:
    """Returns whether --array spreads the command over several jobs."""
    return "array" in flags.FLAGS and flags.FLAGS.array


@dataclasses.dataclass(frozen=True)
class Part:
    """The command that one job runs, with its --workdir. `name` names its log."""

    name: str
    command: tuple[str, ...]


def run_whole(workdir: Path) -> int:
    """Submits this process's own command as one job and follows it; returns the exit status."""
    _, *words = command()
    words += ["--engine=local", "--slurm=", "--nodry_run", *(["--noarray"] if "array" in flags.FLAGS else [])]
    return run([Part("run", (sys.executable, *words, f"--workdir={workdir.absolute()}"))], workdir)


def run(parts: Sequence[Part], workdir: Path) -> int:
    """Submits the parts, or finds their jobs again where they are in the queue, and follows them.

    Returns:
      The exit status: 0 if every part's is 0, else the first other one; 1 for a job that ended without a status;
      128 + the signal that stopped this process.

    Raises:
      UserError: Slurm can't be reached, or refuses; or other jobs of this directory are in the queue.
    """
    slurm, resources = _options()
    parameters = options.parameters(slurm, resources, workdir.name, len(parts))
    folder = workdir.absolute() / SUBMISSIONS
    if flags.FLAGS.dry_run:
        from . import submission

        print(submission.script(folder, parameters, len(parts)))
        return 0
    _make(folder)
    stop = StopSignal("cancelling the jobs, which save a checkpoint")
    ids = _queued(folder, parts)
    if ids:
        print(f"following {several(len(ids), 'job')} of an earlier command: {', '.join(ids.values())}", flush=True)
    else:
        ids = _submit(folder, parameters, parts)
        print(f"submitted {several(len(ids), 'job')}: {', '.join(ids.values())}; logs in {folder}", flush=True)
    print("Ctrl-C cancels what is submitted; if this command is killed, the same command finds it again", flush=True)
    _follow(
        SlurmJobs(list(ids.values()), STOP_SECONDS), [Log(folder, part.name, len(parts) > 1) for part in parts], stop
    )
    return _status(folder, parts, ids, stop, workdir)


def _options() -> tuple[options.Slurm, options.Resources]:
    """Returns the options that --slurm names. Raises UserError."""
    spec = flags.FLAGS.slurm
    if not spec:
        return options.Slurm(), options.Resources()
    path, variant, fields = split_spec(f"--slurm={spec}", spec)
    mapping: dict[str, Any] = load(path, variant, "--slurm=", "configs/slurm").to_dict()
    mapping |= {name: literal(value) for name, _, value in (field.partition("=") for field in fields)}
    return options.parse(mapping, "--slurm")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"workdir={str(folder.parent)!r} can't be written: {e.strerror}") from e


def _queued(folder: Path, parts: Sequence[Part]) -> dict[str, str]:
    """Returns the jobs of an earlier command that are in the queue, by the part's name. Raises UserError where they
    are jobs of other parts."""
    from . import submission

    submission.check_available()
    path = folder / JOBS_FILE
    if not path.is_file():
        return {}
    known = {str(name): str(job["id"]) for name, job in json.loads(path.read_text(encoding="utf-8")).items()}
    watched = SlurmJobs(list(known.values()), STOP_SECONDS)
    watched.running()
    alive = {name: job for name, job in known.items() if watched.is_running(job)}
    if others := [job for name, job in alive.items() if name not in [part.name for part in parts]]:
        raise UserError(
            f"workdir={str(folder.parent)!r} has other jobs in the queue: wait for them, or run: scancel "
            f"{' '.join(others)}"
        )
    return alive


def _submit(folder: Path, parameters: dict[str, Any], parts: Sequence[Part]) -> dict[str, str]:
    """Submits a job for each part; returns their ids by the part's name."""
    from . import submission
    from .command_job import CommandJob

    made = submission.new_folder(folder)
    for part in parts:
        status_file(folder, part.name).unlink(missing_ok=True)
    functions = [
        CommandJob(part.command, str(log_file(folder, part.name)), str(status_file(folder, part.name)))
        for part in parts
    ]
    jobs = submission.submit(made, parameters, functions)
    known = {
        part.name: {"id": job.job_id, "stderr": str(job.paths.stderr)} for part, job in zip(parts, jobs, strict=True)
    }
    records.write_whole(folder / JOBS_FILE, json.dumps(known, indent=1) + "\n")
    return {name: job["id"] for name, job in known.items()}


def log_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


def status_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.status"


class Log:
    """A job's log, of which `show` prints the lines that are new since the last call, behind the job's name if
    `named`."""

    def __init__(self, folder: Path, name: str, named: bool):
        self._path, self._prefix = log_file(folder, name), f"{name} | " if named else ""
        self._shown = self._path.stat().st_size if self._path.is_file() else 0

    def show(self) -> None:
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            file.seek(self._shown)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._shown += len(whole) + len(newline)
        for line in whole.decode("utf-8", "replace").splitlines():
            print(f"{self._prefix}{line}", flush=True)


def _follow(jobs: SlurmJobs, logs: Sequence[Log], stop: StopSignal) -> None:
    """Prints what the jobs print, and what they wait for, until none is in the queue. Cancels them after a signal."""
    said: list[str] = []
    deadline = 0.0
    while jobs.running() and not (deadline and time.monotonic() > deadline):
        for log in logs:
            log.show()
        if stop.signal and not deadline:
            if not jobs.cancel():
                break
            deadline = time.monotonic() + STOP_SECONDS
        waiting = [] if deadline else jobs.waiting()
        for line in waiting:
            if line not in said:
                print(line, flush=True)
        said = waiting
        time.sleep(POLL_SECONDS)
    for log in logs:
        log.show()
    for problem in jobs.problems():
        print(f"warning: {problem}", file=sys.stderr)


def _status(folder: Path, parts: Sequence[Part], ids: dict[str, str], stop: StopSignal, workdir: Path) -> int:
    """Says which jobs didn't finish; returns the exit status."""
    again = f"the same command with --workdir={workdir} resumes from here"
    if stop.signal:
        print(f"stopped; {again}", file=sys.stderr)
        return 128 + stop.signal
    statuses = {part.name: _read_status(folder, part.name) for part in parts}
    known = json.loads((folder / JOBS_FILE).read_text(encoding="utf-8"))
    for name, status in statuses.items():
        job = known[name]["id"] if name in known else ids.get(name, "")
        if status is None:
            error = Path(known[name]["stderr"])
            last = subprocess_limits.last_line(error) if error.is_file() else ""
            print(f"job {job} ended early, without a status; {error}: {last}", file=sys.stderr)
        elif status in STOPPED:
            print(f"job {job} was stopped, and Slurm didn't requeue it", file=sys.stderr)
        elif status:
            how = subprocess_limits.status_text(status)
            line = subprocess_limits.last_line(log_file(folder, name))
            print(f"job {job} ended with {how}: {line}", file=sys.stderr)
    failed = [1 if status is None else status for status in statuses.values() if status != 0]
    if failed and failed[0] != 2:
        print(again, file=sys.stderr)
    return failed[0] if failed else 0


def _read_status(folder: Path, name: str) -> int | None:
    path = status_file(folder, name)
    return int(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
