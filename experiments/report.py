"""Makes the report of a run, a study and its runs, or claims, again from records alone; nothing is trained.

python -m experiments.report --workdir=RUN
python -m experiments.report --workdir=RUN --latex --formats=png,pdf --style=paper
python -m experiments.report --workdir=STUDY      # a directory that holds study.json: of a suite or a horizon
python -m experiments.report --workdir=CLAIMS     # a directory that holds claims.json
"""

import shlex
from pathlib import Path

import rich.console
from absl import flags

from experiments.launcher import command, launch
from gru_research import records, report
from gru_research.config import UserError
from gru_research.report import claims, look
from gru_research.report.claims import findings
from gru_research.report.study import reading

WORKDIR = flags.DEFINE_string(
    "workdir", "", "the run's directory, which holds records.jsonl, a study's, or that of claims."
)
LATEX = flags.DEFINE_bool("latex", False, "also writes a run's tables for LaTeX (booktabs), as tables/NAME.tex.")
FORMATS = flags.DEFINE_list("formats", ["png"], f"of the figures' files, of {', '.join(look.FORMATS)}.")
STYLE = flags.DEFINE_string("style", "screen", f"of figures: {', '.join(look.STYLES)} or the path of a FILE.mplstyle.")
WIDTH = flags.DEFINE_float("width_inches", None, "width of figures; by default the style's.")
FONT_SIZE = flags.DEFINE_float("font_size", None, "size of figures' ordinary text in points; by default the style's.")


def main() -> int:
    if not WORKDIR.value:
        raise UserError("--workdir is missing: name a run's directory")
    with _look().applied():
        write(Path(WORKDIR.value), rich.console.Console(), shlex.join(command()) if LATEX.value else "")
    return 0


def write(workdir: Path, console: rich.console.Console, latex_by: str = "") -> None:
    """The report of what `workdir` holds; `latex_by` is the command that asks for tables for LaTeX."""
    if (workdir / findings.FILE_NAME).is_file():
        if latex_by:
            raise UserError(f"--latex: {workdir} holds claims, which have no tables for LaTeX; claims.md has them")
        claims.write(workdir, console)
        return
    if not (workdir / records.STUDY_FILE_NAME).is_file():
        report.write(workdir, console, latex_by)
        return
    for run in reading.read(workdir).runs:
        if run.outcome is not None:
            report.write(workdir / run.name, latex_by=latex_by)
    report.write_study(workdir, console)


def _look() -> look.Look:
    try:
        return look.Look(tuple(FORMATS.value), STYLE.value, WIDTH.value, FONT_SIZE.value)
    except ValueError as e:
        raise UserError(f"--{e}") from e


if __name__ == "__main__":
    launch(main)
