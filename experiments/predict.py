"""Shows the answers of a run's cells to an input, side by side. Nothing is trained, and no data set is read.

python -m experiments.predict --workdir=RUN --input="walk twice and jump left"
python -m experiments.predict --workdir=RUN --input=commands.txt --json
python -m experiments.predict --workdir=RUN --input=digits.npy --cell=gru --seed=all
python -m experiments.predict --workdir=RUN --input="ROMEO:" --length=300 --temperature=0.8

python -m experiments.predict --workdir=RUN --input=series.csv --output=DIR
python -m experiments.predict --workdir=RUN --interactive

A text file holds one input a line; .npy, .npz (inputs, lengths), .csv and .tsv hold arrays. If --input names an
existing file, the file is read. Without --seed a cell answers with the seed that had the best validation metric.
"""

import signal
import sys
from pathlib import Path
from typing import Literal

import rich.console
from absl import flags

from experiments.cli import running
from experiments.cli.launcher import launch
from experiments.prediction import answers, inputs, interactive, outputs
from gru_research import runs
from gru_research.config import UserError, split_names
from gru_research.runs.predict import BATCH, Prediction, Sampling, predict, sampling_of
from gru_research.tasks import Task

running.define_data_flags()
WORKDIR = flags.DEFINE_string("workdir", "", "the run's directory, finished or interrupted.")
INPUT = flags.DEFINE_string("input", None, "a text; a file; or - for stdin, with one input a line.")
CELL = flags.DEFINE_string("cell", "", "labels of the cells that answer, separated by commas; default: all.")
SEED = flags.DEFINE_string(
    "seed", "", "seeds that answer, separated by commas, or all; default: the best on validation."
)
ENSEMBLE = flags.DEFINE_bool("ensemble", False, "one answer for all seeds: the mean of class probabilities or numbers.")
JSON = flags.DEFINE_bool("json", False, "print one JSON object a line: input, cell, seed, answer.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", BATCH, "how many inputs are computed at once.", lower_bound=1)
flags.DEFINE_integer("length", None, "tokens, steps or frames to generate; default: the task's.", lower_bound=1)
flags.DEFINE_float(
    "temperature", None, "of generated tokens: above 0 they are drawn; default: the task's.", lower_bound=0.0
)
flags.DEFINE_integer("top_k", None, "draw from this number of most probable tokens; 0: all.", lower_bound=0)
flags.DEFINE_float("top_p", None, "draw from the most probable tokens that together reach this probability.")
flags.DEFINE_integer("random_seed", None, "from which generated tokens are drawn; default: 0.", lower_bound=0)
OUTPUT = flags.DEFINE_string("output", "", "folder for the answers as files: pictures, tables, music.")
INTERACTIVE = flags.DEFINE_bool("interactive", False, "answer line after line, as they are typed.")
SAMPLING = ("length", "temperature", "top_k", "top_p", "random_seed")


def main() -> int:
    if not WORKDIR.value:
        raise UserError("--workdir is missing: name a run's directory")
    if INPUT.value is None and not INTERACTIVE.value:
        raise UserError('--input is missing: give a text, a file, or - for stdin, as --input="walk twice"')
    if INPUT.value is not None and INTERACTIVE.value:
        raise UserError("--interactive reads the terminal: leave --input out")
    seeds, cells = _seeds(SEED.value), split_names(CELL.value) or None
    running.start_backend()
    run = runs.load(WORKDIR.value, flags.FLAGS.data_dir, flags.FLAGS.manual_dir)
    for path, how in run.changed.items():
        print(f"warning: {path} {how} since the run began", file=sys.stderr)
    sampling = _sampling(run.task)
    write = outputs.writer(run.task) if OUTPUT.value else None
    if INPUT.value is None:
        return interactive.converse(run, cells, seeds, sampling)
    asked = inputs.read(INPUT.value, run.task)
    if not asked:
        raise UserError(f"--input={INPUT.value} holds no input")
    predictions = predict(
        run,
        [one.raw for one in asked],
        cells,
        seeds,
        ENSEMBLE.value,
        batch_size=BATCH_SIZE.value,
        sampling=sampling,
        progress=answers.Line().show if len(asked) > 1 else None,
    )
    for line in (*inputs.unknown(asked, run.task), *answers.remarks(run.task)):
        print(f"warning: {line}", file=sys.stderr)
    _print(predictions, [one.name for one in asked])
    if write is not None:
        for path in outputs.write_all(write, predictions, Path(OUTPUT.value)):
            print(f"wrote {path}", file=sys.stderr)
    return 0


def _print(predictions: list[Prediction], names: list[str]) -> None:
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader, such as head, may stop reading
    if JSON.value:
        print("\n".join(answers.to_json(predictions, names)))
    else:
        answers.show(rich.console.Console(), predictions, names)


def _seeds(given: str) -> list[int] | Literal["all"] | None:
    """Returns the seeds of `--seed`, "all", or None without the flag. Raises UserError."""
    if not given:
        return None
    if given == "all":
        return "all"
    words = split_names(given)
    for word in words:
        if not word.isdecimal():
            raise UserError(f"--seed={given} must be whole numbers separated by commas, or all")
    return [int(word) for word in words]


def _sampling(task: Task) -> Sampling:
    """Returns the options of generation. Raises UserError if one is given and the task's answers aren't generated."""
    given = {name: flags.FLAGS[name].value for name in SAMPLING}
    for name, value in given.items():
        if value is not None and not task.samples:
            raise UserError(
                f"--{name} is for answers that are generated after their inputs; {task.name} generates none"
            )
    return sampling_of(task, **given)


if __name__ == "__main__":
    launch(main)
