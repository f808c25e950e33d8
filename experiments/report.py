"""Makes the report of a run, a study and its runs, or claims, again from records alone; nothing is trained.

python -m experiments.report --workdir=RUN
python -m experiments.report --workdir=STUDY      # a directory that holds study.json: of a suite or a horizon
python -m experiments.report --workdir=CLAIMS     # a directory that holds claims.json
"""

from pathlib import Path

import rich.console
from absl import flags

from experiments.launcher import launch
from gru_research import records, report
from gru_research.config import UserError
from gru_research.report import claims
from gru_research.report.claims import findings
from gru_research.report.study import reading

WORKDIR = flags.DEFINE_string(
    "workdir", "", "the run's directory, which holds records.jsonl, a study's, or that of claims."
)


def main() -> int:
    if not WORKDIR.value:
        raise UserError("--workdir is missing: name a run's directory")
    workdir, console = Path(WORKDIR.value), rich.console.Console()
    if (workdir / findings.FILE_NAME).is_file():
        claims.write(workdir, console)
        return 0
    if not (workdir / records.STUDY_FILE_NAME).is_file():
        report.write(workdir, console)
        return 0
    for run in reading.read(workdir).runs:
        if run.outcome is not None:
            report.write(workdir / run.name)
    report.write_study(workdir, console)
    return 0


if __name__ == "__main__":
    launch(main)
