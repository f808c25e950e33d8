"""Answers line after line: a chat, or one prediction for each line typed."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import rich.console

from experiments.prediction import answers
from experiments.prediction.interactive import dialogue
from gru_research.config import UserError
from gru_research.runs.predict import Sampling, predict

Seeds = Sequence[int] | Literal["all"] | None
Session = Callable[[str], Mapping[str, str]]
"""Takes a line, and returns the answer of each cell by its label. It may keep the state of a conversation."""
SESSIONS: Mapping[str, Callable[[Any, Sequence[str] | None, Seeds, Sampling], Session]] = {
    "dialogue": dialogue.converse
}
"""`(run, cells, seeds, sampling) -> Session`, by the form of an application's answers."""
HINTS = {"dialogue": dialogue.HINT}
"""What to type, by the form of an application's answers."""


def converse(run: Any, cells: Sequence[str] | None, seeds: Seeds, sampling: Sampling) -> int:
    """Reads lines from stdin until its end or an empty line, and prints each cell's answer. Returns the exit status.

    A line that the task can't read is answered with the reason.
    """
    form = "" if run.task.application is None else run.task.application.form
    session = SESSIONS[form](run, cells, seeds, sampling) if form in SESSIONS else None
    console = rich.console.Console()
    terminal = sys.stdin.isatty()
    if terminal:
        print("An empty line ends the conversation.", file=sys.stderr)
        if form in HINTS:
            print(HINTS[form], file=sys.stderr)
    while True:
        print("> " if terminal else "", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline().rstrip("\n")
        if not line.strip():
            return 0
        try:
            if session is not None:
                for label, text in session(line).items():
                    print(f"{label}: {text}", flush=True)
            else:
                answers.show(console, predict(run, [line], cells, seeds, sampling=sampling), [line])
        except UserError as e:
            print(e, file=sys.stderr)
