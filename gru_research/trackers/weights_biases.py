"""Weights & Biases: one W&B run for each run directory, resumed under the id that the directory stores."""

import os
import re
import uuid

from .base import Point, RunInfo

ID_FILE = "wandb_run_id.txt"
STEP = "update"
"""The horizontal axis of every chart. W&B's own step can only grow, but each cell starts again at 0."""
SETTINGS = {"login_timeout": 30, "init_timeout": 60}
"""The longest waits for the network, in seconds."""


class Wandb:
    """Logs to the project `$WANDB_PROJECT`, or gru_research; W&B's other variables (WANDB_MODE, ...) also apply."""

    def __init__(self, about: RunInfo):
        import wandb  # pyright: ignore[reportMissingImports]  # optional, and takes a second

        path = about.workdir / ID_FILE
        if not path.exists():
            path.write_text(f"{uuid.uuid4().hex}\n", encoding="utf-8")
        run_id = path.read_text(encoding="utf-8").strip()
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", run_id):  # it becomes part of a URL and of file names
            raise ValueError(f"{path} holds no id of a run")
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "gru_research",
            name=about.workdir.resolve().name,
            id=run_id,
            resume="allow",
            dir=os.fspath(about.workdir.resolve()),
            config=dict(about.config),
            settings=SETTINGS,
        )
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP)
        self._run = run

    def point(self, point: Point) -> None:
        self._run.log({STEP: point.step} | {f"{point.series}/{tag}": value for tag, value in point.values.items()})

    def close(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)
