"""Writes a run's trained cells as one page that runs them in the browser. The page loads nothing.

python -m experiments.demo --workdir=RUN
python -m experiments.demo --workdir=RUN --cell=gru --output=demo.html

The page of a sentiment run classifies a text word by word, with gates and attention. The page of a forecasting run
forecasts a series that the reader draws or pastes. A page has at most 5 MB: weights are float32, or float16 where that
is too much, and then only the most frequent words stay. Cells are GRU, LSTM and vanilla RNN.
"""

import sys
from pathlib import Path

from absl import flags

from experiments.cli import running
from experiments.cli.launcher import launch
from gru_research import demo, runs
from gru_research.config import UserError, choose

WORKDIR = flags.DEFINE_string("workdir", "", "the run's directory.")
CELL = flags.DEFINE_list("cell", [], "labels of the cells, separated by commas; default: all.")
OUTPUT = flags.DEFINE_string("output", "", "the page's file; default: WORKDIR/demo.html.")
running.define_data_flags()


def main() -> int:
    if not WORKDIR.value:
        raise UserError("--workdir is missing: name a run's directory")
    running.start_backend()
    run = runs.load(WORKDIR.value, flags.FLAGS.data_dir, flags.FLAGS.manual_dir)
    for path, how in run.changed.items():
        print(f"warning: {path} {how} since the run began", file=sys.stderr)
    for label in CELL.value:
        choose("--cell", label, run.cells)
    path = Path(OUTPUT.value) if OUTPUT.value else run.workdir / "demo.html"
    print(demo.write(run, path, CELL.value))
    return 0


if __name__ == "__main__":
    launch(main)
