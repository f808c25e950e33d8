"""Writes TensorBoard event files by tensorboardX, with one directory per series, so that equal tags share a chart."""

import json
import os
import re
import socket
import time
from pathlib import Path
from typing import Any

from gru_research.config import LONGEST_FILE_NAME

from .base import Point, RunInfo

FOLDER = "tensorboard"


def _file_name(part: str) -> str:
    """Converts a part of a series' name to a safe file name.

    Unlike a cell's label, a task's name may be anything, such as "..".
    """
    return re.sub(r"^\.|[^A-Za-z0-9_.+=-]", "_", part)[:LONGEST_FILE_NAME] or "_"


class TensorBoard:
    """Writes `WORKDIR/tensorboard/TASK/CELL/seedN/`, and the config as text.

    Each call writes to the disk. tensorboardX's own SummaryWriter passes events to a thread over a short queue: after
    a full disk killed that thread, the next call would block forever.
    """

    def __init__(self, about: RunInfo):
        # Imported here because it also imports torch where that is installed, which takes 1.7 s.
        import tensorboardX
        import tensorboardX.summary
        from tensorboardX.proto import event_pb2, summary_pb2

        messages: Any = event_pb2  # protobuf makes the classes when the module is imported
        summaries: Any = summary_pb2
        self._record_writer, self._event = tensorboardX.RecordWriter, messages.Event
        self._session_log, self._summary = messages.SessionLog, summaries.Summary
        self._folder = about.workdir / FOLDER
        self._files: dict[Path, Any] = {}
        config = "\n".join(f"    {line}" for line in json.dumps(about.config, indent=2).splitlines())  # as code
        self._write(self._folder, 0, summary=tensorboardX.summary.text("config", config))

    def point(self, point: Point) -> None:
        folder = self._folder.joinpath(*map(_file_name, point.series.split("/")))
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in point.values.items()]
        self._write(folder, point.step, summary=self._summary(value=values))
        if "ms_per_step" in point.values:  # a result: the series is complete
            self._files.pop(folder).close()

    def close(self, finished: bool) -> None:
        for file in self._files.values():
            file.close()

    def _write(self, folder: Path, step: int, **content: Any) -> None:
        if folder not in self._files:
            self._files[folder] = self._open(folder, step)
        self._append(self._files[folder], step, **content)

    def _open(self, folder: Path, step: int) -> Any:
        """Opens a new file of the series. Events from `step` on in earlier files are no longer shown.

        A resumed run writes those events again. tensorboardX calls this purge_step.
        """
        folder.mkdir(parents=True, exist_ok=True)
        earlier = len(list(folder.glob("events.out.tfevents.*")))
        # TensorBoard reads files in the order of their names.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{earlier}"
        file = self._record_writer(os.fspath(folder / name))
        self._append(file, step if earlier else 0, file_version="brain.Event:2")
        if earlier:
            self._append(file, step, session_log=self._session_log(status=self._session_log.START))
        return file

    def _append(self, file: Any, step: int, **content: Any) -> None:
        file.write(self._event(wall_time=time.time(), step=step, **content).SerializeToString())
        file.flush()
