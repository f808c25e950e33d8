"""Adds a page to a finished run that says why its cells remember or forget; nothing is trained.

python -m experiments.diagnose --workdir=RUN
python -m experiments.diagnose --workdir=RUN --cells=gru,lstm --examples=200 --layer=1

The page shows how far back the gradient reaches and how long an input matters, before and after training; Lyapunov
exponents and singular values; gates over a sequence, their distributions and timescales; what linear probes read from
states and gates; and what it costs to hold a gate or to silence a unit. The command writes why.json and why.html, to
which report.html then links.
"""

import datetime
from pathlib import Path

import jax
from absl import flags

from experiments.cli import running
from experiments.cli.launcher import command, launch
from experiments.diagnosis.page import parts
from gru_research.config import UserError, choose, split_names
from gru_research.full_disk import full_disk_named
from gru_research.plural import several
from gru_research.runs import trained
from gru_research.runs.environment import environment

DEFAULT_EXAMPLES = 64
running.define_data_flags()
WORKDIR = flags.DEFINE_string("workdir", "", "the run's directory.")
CELLS = flags.DEFINE_string("cells", "", "labels of the cells to analyse, separated by commas; default: all.")
EXAMPLES = flags.DEFINE_integer(
    "examples", None, "number of validation sequences; default: 64, or all where there are fewer.", lower_bound=2
)
LAYER = flags.DEFINE_integer("layer", 0, "the layer of a stack whose gates are shown; 0: the first.", lower_bound=0)


def main() -> int:
    if not WORKDIR.value:
        raise UserError("--workdir is missing: name a finished run's directory")
    running.start_backend()
    workdir = Path(WORKDIR.value)
    run = trained.load_finished(workdir, running.data_dirs())
    known = [cell.label for cell in run.cells]
    labels = split_names(CELLS.value) or tuple(known)
    for label in labels:
        choose("--cells", label, known)
    count = len(next(iter(run.sets["validation"].values())))
    examples = min(DEFAULT_EXAMPLES, count) if EXAMPLES.value is None else EXAMPLES.value
    if not 2 <= examples <= count:
        raise UserError(f"--examples={examples} must be from 2 to {count}, the validation set")
    print(
        f"jax {jax.__version__} on {jax.default_backend()}; {several(len(labels), 'cell')} of {run.plan.task.name}",
        flush=True,
    )
    found = list(parts(run, labels, examples, LAYER.value, lambda line: print(line, flush=True)))
    write(workdir, run, found, examples)
    return 0


def write(workdir: Path, run: trained.FinishedRun, found: list, examples: int) -> None:
    """Writes `why.json` and both pages. Imports matplotlib here, which takes a second."""
    from gru_research import report
    from gru_research.report import diagnosis_page

    about = (
        f"The cells of a finished run on {run.plan.task.name}, {several(len(run.plan.seeds), 'seed')} each, before "
        f"training and with the parameters that were tested, on {examples} validation sequences."
    )
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    header = {"command": command(), "made": made, "about": about, "env": environment()}
    with full_disk_named(workdir):
        diagnosis_page.save(workdir, header, found)
        report.write(workdir)
    print(f"Page: {workdir / diagnosis_page.PAGE}")


if __name__ == "__main__":
    launch(main)
