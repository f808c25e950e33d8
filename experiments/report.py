"""Makes a run's report again from its records: `python -m experiments.report --workdir=RUN`."""

from collections.abc import Sequence
from pathlib import Path

import rich.console
from absl import app, flags

from gru_research import report

_WORKDIR = flags.DEFINE_string("workdir", None, "The run's directory: it holds records.jsonl.", required=True)


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}")
    report.write(Path(_WORKDIR.value), rich.console.Console())


if __name__ == "__main__":
    app.run(main)
