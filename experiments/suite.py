"""Many configs with one shared report: tasks by cells, with intervals, profiles and tests.

python -m experiments.suite --config=configs/suites/generated.py
python -m experiments.suite --config=configs/suites/generated.py --runs=adding,copy --config.shared.seeds=10

A suite's config names other configs, as `FILE.py[:variant,field=value]`, and fields that they all share. The same
command with the same --workdir resumes an interrupted suite. With --engine=slurm the command submits itself as a job;
--array submits a job for each run.
"""

from pathlib import Path

from absl import flags

from experiments.cli import running, studies
from experiments.cli.launcher import config_path, experiment_from, launch, read_mapping, use_cores
from experiments.slurm import spread, submitted
from gru_research.config import UserError, check_file_name, check_known, choose
from gru_research.runs import study
from gru_research.runs.directory import SUBMISSIONS

running.define_flags()
submitted.define_flags(array="the runs")
RUNS = flags.DEFINE_string("runs", "", "names of the runs to train, separated by commas; default: all.")
FIELDS = ("title", "runs", "shared")
RESERVED = ("figures", "report.html", "study.json", "summary.csv", SUBMISSIONS)


def main() -> int:
    config = read_mapping("configs/suites/generated.py")
    for name in config:
        check_known("config", name, FIELDS)
    named = config.get("runs")
    if not isinstance(named, dict) or not named:
        raise UserError(f"config.runs={named!r} must be a group of configs by name")
    for name in named:
        check_file_name("config.runs: the name", name)
        if name in RESERVED:
            raise UserError(f"config.runs: {name!r} is the name of a file of the report; choose another")
    shared = config.get("shared") or {}
    if not isinstance(shared, dict):
        raise UserError(f"config.shared={shared!r} must be a group of fields")
    configs = {name: experiment_from(f"config.runs.{name}", spec, shared) for name, spec in named.items()}
    chosen = tuple(name.strip() for name in RUNS.value.split(",") if name.strip())
    for name in chosen:
        choose("--runs", name, configs)
    path, _, variant = config_path().partition(":")
    name = "-".join(filter(None, [Path(path).stem, variant]))
    made = study.suite(str(config.get("title") or name), configs)
    if submitted.is_asked():
        workdir = running.workdir(name)
        return spread.run_study(made, workdir, chosen) if submitted.is_spread() else submit(made, workdir, chosen)
    use_cores(max(map(running.members, configs.values())), max(c.data_parallel for c in configs.values()))
    running.start_backend()
    return studies.run(made, running.workdir(name), running.StopRequest(), chosen)


def submit(made: study.Study, workdir: Path, chosen: tuple[str, ...]) -> int:
    """Checks the configs and submits the command as one job. Returns the exit status."""
    studies.claim_study(made, workdir, chosen)
    return submitted.run_whole(workdir)


if __name__ == "__main__":
    launch(main, config=True)
