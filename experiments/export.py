"""Writes a trained cell as files that other programs read: its function by jax.export, its weights by safetensors.

python -m experiments.export --workdir=RUN --cell=gru
python -m experiments.export --workdir=RUN --cell=gru --seed=0 --output=DIR

The function takes weights by their names, so that one serves all seeds, and any number of examples and, where the model
allows it, of steps; it runs on CPUs, NVIDIA GPUs and TPUs with nothing of this package. Beside it lie export.json,
README.md, and example.py, which calls it. Needs the extra "export".
"""

import sys
from pathlib import Path

from absl import flags

from experiments.cli import running
from experiments.cli.launcher import launch
from gru_research import runs
from gru_research.config import UserError
from gru_research.runs import export, export_texts

WORKDIR = flags.DEFINE_string("workdir", "", "the run's directory.")
CELL = flags.DEFINE_string("cell", "", "label of the cell; not needed if the run has one cell.")
SEED = flags.DEFINE_integer("seed", None, "the seed whose weights are written; default: every seed.")
OUTPUT = flags.DEFINE_string("output", "", "directory for the files; default: WORKDIR/export/CELL.")
running.define_data_flags()


def main() -> int:
    if not WORKDIR.value:
        raise UserError("--workdir is missing: name a run's directory")
    export.check_packages()
    running.start_backend()
    run = runs.load(WORKDIR.value, flags.FLAGS.data_dir, flags.FLAGS.manual_dir)
    for path, how in run.changed.items():
        print(f"warning: {path} {how} since the run began", file=sys.stderr)
    cells = run.cells
    if len(cells) == 0:
        raise UserError(
            f"workdir={WORKDIR.value!r} has no parameters: none of its cells was trained, or its checkpoints are gone"
        )
    if not CELL.value and len(cells) > 1:
        raise UserError(f"--cell is missing: choose from {', '.join(cells)}")
    cell = CELL.value or cells[0]
    folder = Path(OUTPUT.value) if OUTPUT.value else run.workdir / "export" / cell
    about = export.write(run, cell, folder, SEED.value)
    for name, function in about["functions"].items():
        print(f"{folder / function['file']}: {name}, for {', '.join(function['platforms'])}")
        for limit in function["limits"]:
            print(f"  {limit}")
    for seed in about["diverged"]:
        print(f"warning: seed {seed} diverged: its weights are the last that were finite", file=sys.stderr)
    print(f"{len(about['weights'])} files of weights; {folder / export_texts.EXAMPLE} calls the function")
    return 0


if __name__ == "__main__":
    launch(main)
