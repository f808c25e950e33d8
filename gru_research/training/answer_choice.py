"""Chooses how a cell's answers are generated, by the validation set."""

import dataclasses
from collections.abc import Callable

import numpy as np

from gru_research.tasks import Task

from .scoring import Scores


def choose_answer(task: Task, score_on: Callable[..., Scores], say: Callable[[str], None]) -> Task:
    """Returns the task with the one of its `answer_choices` whose answers to the validation set have the best `metric`,
    as the mean over seeds. Of equally good ones the first is taken; without choices the task is returned.

    Args:
      score_on: `(set, task, metrics) -> Scores`, of the parameters that will be tested.
      say: is called with one line about each choice.
    """
    if not task.answer_choices:
        return task
    sign = 1 if task.direction == "min" else -1
    choices = [dataclasses.replace(task, answer=answer) for answer in task.answer_choices]
    found = []
    for choice in choices:
        values = score_on("validation", choice, (task.metric,)).metrics[task.metric]
        how = ", ".join(f"{name} {value}" for name, value in choice.answer.items())
        say(f"validation {task.metric} {float(np.mean(values)):.4g} with answers by {how}")
        found.append(sign * float(np.mean(values)))
    ranked = np.where(np.isfinite(found), found, np.inf)
    return choices[int(np.argmin(ranked))]
