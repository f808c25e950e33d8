"""Makes the report of a run, a study and its runs, or claims, again from records alone; nothing is trained.

python -m experiments.report --workdir=RUN
python -m experiments.report --workdir=RUN --latex --formats=png,pdf --style=paper
python -m experiments.report --workdir=RUN,RUN,RUN --output=DIR    # finished runs of one task in one report
python -m experiments.report --workdir=STUDY      # a directory that holds study.json: of a suite or a horizon
python -m experiments.report --workdir=CLAIMS     # a directory that holds claims.json
"""

import datetime
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich.console
from absl import flags

from experiments.cli.launcher import command, launch
from gru_research import records, report
from gru_research.config import UserError
from gru_research.report import claims, figure_settings
from gru_research.report.claims import findings
from gru_research.report.study import reading

WORKDIR = flags.DEFINE_string(
    "workdir",
    "",
    "the directory of a run, which holds records.jsonl, of a study, or of claims; or the directories of several "
    "finished runs of one task and its data, separated by commas, for one report.",
)
OUTPUT = flags.DEFINE_string(
    "output", "", "where the report of several runs is written; by default a new directory under runs/."
)
LATEX = flags.DEFINE_bool("latex", False, "also write a run's tables for LaTeX (booktabs), as tables/NAME.tex.")
FORMATS = flags.DEFINE_list(
    "formats", ["png"], f"formats of the figures' files, from {', '.join(figure_settings.FORMATS)}."
)
STYLE = flags.DEFINE_string(
    "style", "screen", f"figures' style: {', '.join(figure_settings.STYLES)} or the path of a FILE.mplstyle."
)
WIDTH = flags.DEFINE_float("width_inches", None, "width of the figures; default: the style's.")
FONT_SIZE = flags.DEFINE_float("font_size", None, "size of the figures' body text in points; default: the style's.")


def main() -> int:
    workdirs = _directories(WORKDIR.value)
    if not workdirs:
        raise UserError("--workdir is missing: name a run's directory")
    console, latex_by = rich.console.Console(), shlex.join(command()) if LATEX.value else ""
    with _figure_settings().applied():
        if len(workdirs) > 1:
            report.write_together(workdirs, _output(), console, latex_by, _with_defaults)
        elif OUTPUT.value:
            raise UserError(f"--output={OUTPUT.value!r} is for several runs; the report of one is in its directory")
        else:
            write(workdirs[0], console, latex_by)
    return 0


def write(workdir: Path, console: rich.console.Console, latex_by: str = "") -> None:
    """Writes the report of a run, study or claims. `latex_by` is the command, if it asks for LaTeX tables."""
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


def _with_defaults(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a task's options, with defaults if the task is of this package. Other tasks' code isn't run."""
    from gru_research.tasks import TASKS  # imported here, as it takes a second and is seldom needed
    from gru_research.training.default_options import options_of_task

    given = config.get("task") or {}
    if given.get("name") not in TASKS:
        return given
    return options_of_task(TASKS[given["name"]]) | given


def _directories(text: str) -> list[Path]:
    """Returns the directories of `--workdir`, separated by commas. A directory's name may hold commas."""
    pieces, found = [piece for piece in text.split(",") if piece], []
    while pieces:
        longest = (count for count in range(len(pieces), 1, -1) if Path(",".join(pieces[:count])).is_dir())
        count = next(longest, 1)
        found.append(Path(",".join(pieces[:count])))
        del pieces[:count]
    return found


def _output() -> Path:
    """Returns the directory of `--output`, or a new one. It may hold an earlier report of several runs."""
    if not OUTPUT.value:
        return Path("runs") / f"report-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    output = Path(OUTPUT.value)
    if output.exists() and not output.is_dir():
        raise UserError(f"--output={OUTPUT.value!r} is a file: name a directory")
    for name in (records.FILE_NAME, records.STUDY_FILE_NAME, findings.FILE_NAME):
        if (output / name).exists():
            raise UserError(f"--output={OUTPUT.value!r} holds {name}, of which it has a report: name another directory")
    return output


def _figure_settings() -> figure_settings.FigureSettings:
    try:
        return figure_settings.FigureSettings(tuple(FORMATS.value), STYLE.value, WIDTH.value, FONT_SIZE.value)
    except ValueError as e:
        raise UserError(f"--{e}") from e


if __name__ == "__main__":
    launch(main)
