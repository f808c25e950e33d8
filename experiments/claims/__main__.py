"""Runs the claims of a tutorial about the GRU as experiments, and makes one page of the findings.

python -m experiments.claims --config=configs/claims.py
python -m experiments.claims --config=configs/claims.py --config.only=size,gradients
python -m experiments.claims --config=configs/claims.py:full --workdir=runs/claims --require_backend=gpu

For each claim: what was run, the numbers with intervals, the verdict and a figure. The same command with the same
--workdir resumes after an interruption; `experiments.report` makes the page again without training. With --engine=slurm
the command submits itself as a job.
"""

import dataclasses
import datetime
import functools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich.console

from experiments import claims
from experiments.claims.context import Claim, ClaimContext, StoppedError, folder
from experiments.cli import running, studies
from experiments.cli.launcher import command, config_path, launch, read_mapping, use_cores
from experiments.slurm import submitted
from gru_research import records
from gru_research.config import (
    ExperimentConfig,
    UserError,
    call,
    check_file_name,
    check_known,
    choose,
    experiment,
    split_names,
    to_mapping,
)
from gru_research.full_disk import full_disk_named
from gru_research.plural import several
from gru_research.report.claims import findings
from gru_research.runs import directory
from gru_research.runs.environment import environment
from gru_research.training import Plan, make_plan

running.define_flags()
submitted.define_flags()
FIELDS = ("only", "claims", "runs")


def main() -> int:
    config = read_mapping("configs/claims.py")
    for name in config:
        check_known("config", name, FIELDS)
    runs = _runs(config)
    claims = _claims(config, runs)
    asked = split_names(_text(config, "only")) or tuple(claims)
    for name in asked:
        choose("config.only", name, claims)
    only = [name for name in claims if name in asked]
    on_slurm = submitted.is_asked()
    if not on_slurm:
        use_cores(max(map(running.members, runs.values()), default=1))
        running.start_backend()
    _check(claims, _plans(runs))
    path, _, variant = config_path().partition(":")
    workdir = running.workdir("-".join(filter(None, [Path(path).stem, variant])))
    if on_slurm:
        return submitted.run_whole(workdir)
    wanted = {"claims": config["claims"], "runs": {name: to_mapping(run) for name, run in runs.items()}}
    _open(workdir, list(claims), records.to_json(wanted))
    print(f"{several(len(only), 'claim')}, writing to {workdir}", flush=True)
    stop = running.StopRequest()
    context = ClaimContext(
        workdir,
        running.data_dirs(),
        runs,
        train=functools.partial(_train, workdir, runs, stop),
        say=lambda line: print(line, flush=True),
    )
    full = variant.partition(",")[0] == "full"
    status = 0
    with full_disk_named(workdir):
        try:
            for number, name in enumerate(only, 1):
                _find(context, name, claims[name], f"{name} ({number} of {len(only)})", full)
        except StoppedError as e:
            status = e.status
        if status != running.PREEMPTED:
            write_page(workdir)
    return status


def write_page(workdir: Path) -> None:
    """Writes the page of all findings. Imports matplotlib, which is needed only here."""
    from gru_research.report import claims

    claims.write(workdir, rich.console.Console())


def _runs(config: Mapping[str, Any]) -> dict[str, ExperimentConfig]:
    """Returns the config's experiments by run. Raises UserError, which names the run."""
    found = {}
    for name, fields in _group(config, "runs").items():
        check_file_name("config.runs: the name", name)
        try:
            found[name] = experiment(fields)
        except UserError as e:
            raise UserError(f"config.runs.{name}: {e}") from e
    return found


def _plans(runs: Mapping[str, ExperimentConfig]) -> dict[str, Plan]:
    """Returns the runs' plans. Raises UserError, which names the run."""
    found = {}
    for name, run in runs.items():
        try:
            found[name] = make_plan(run, running.data_dirs())
        except UserError as e:
            raise UserError(f"config.runs.{name}: {e}") from e
    return found


def _claims(config: Mapping[str, Any], runs: Mapping[str, ExperimentConfig]) -> dict[str, Claim]:
    """Returns the claims with their options. Raises UserError for an option or a run that doesn't exist."""
    found = {}
    chosen = _group(config, "claims")
    for name in chosen:
        choose("config.claims: the claim", name, claims.CLAIMS)
    for name in (name for name in claims.CLAIMS if name in chosen):  # a ConfigDict sorts its fields
        claim = call(claims.CLAIMS[name], chosen[name], f"config.claims.{name}")
        for run in claim.runs:
            choose(f"config.claims.{name}: the run", run, runs)
        found[name] = claim
    if not found:
        raise UserError("config.claims is empty: name at least one claim")
    return found


def _check(claims: Mapping[str, Claim], plans: Mapping[str, Plan]) -> None:
    """Raises UserError if a run's plan lacks what a claim needs. Checks all claims before anything runs."""
    for name, claim in claims.items():
        claim.check(plans, f"config.claims.{name}")


def _group(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    if not isinstance(value, Mapping):
        raise UserError(f"config.{name}={value!r} must be a group of fields by name")
    return value


def _text(config: Mapping[str, Any], name: str) -> str:
    value = config.get(name) or ""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _open(workdir: Path, claims: list[str], config: Mapping[str, Any]) -> None:
    """Makes the directory, or checks that it holds the same claims. Raises UserError."""
    began = {
        "command": command(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "env": environment(),
    }
    if (workdir / findings.FILE_NAME).is_file():
        began = {name: findings.read(workdir).header[name] for name in began}
    content = {"schema": findings.SCHEMA, "config": config, "claims": claims, **began}
    directory.claim(workdir, findings.FILE_NAME, content, "set of claims", lambda content: content["config"])


def _train(workdir: Path, runs: Mapping[str, ExperimentConfig], stop: running.StopRequest, name: str) -> None:
    """Trains a run to its end. Raises StoppedError if a stop is requested."""
    path = workdir / folder(name)
    path.parent.mkdir(exist_ok=True)
    if running.is_finished(path, runs[name]):
        return
    studies.check_files((workdir / folder(other) for other in runs), workdir)
    if status := running.run(runs[name], path, stop, workdir):
        raise StoppedError(status)


def _find(context: ClaimContext, name: str, claim: Claim, title: str, full: bool) -> None:
    """Tests a claim and writes its finding, unless the finding exists. With `full` it names nothing as left out."""
    if findings.read_one(context.workdir, name) is not None:
        print(f"\n{title}: found already")
        return
    print(f"\n{title}", flush=True)
    started = time.perf_counter()
    finding = claim.find(context, name)
    seconds = time.perf_counter() - started
    left = "" if full else finding.left
    findings.write(context.workdir, dataclasses.replace(finding, seconds=seconds, left=left))
    print(f"{name}: {finding.verdict}. {finding.says} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    launch(main, config=True)
