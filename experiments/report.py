"""Makes a run's report again from its records alone; nothing is trained.

python -m experiments.report --workdir=RUN
"""

from pathlib import Path

import rich.console
from absl import flags

from experiments.launcher import launch
from gru_research import report
from gru_research.config import UserError

WORKDIR = flags.DEFINE_string("workdir", "", "the run's directory: it holds records.jsonl.")


def main() -> int:
    if not WORKDIR.value:
        raise UserError("--workdir is missing: name a run's directory")
    report.write(Path(WORKDIR.value), rich.console.Console())
    return 0


if __name__ == "__main__":
    launch(main)
