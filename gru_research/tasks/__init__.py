"""Tasks by name. Each has data, a loss and metrics."""

from collections.abc import Callable

from .adding import adding
from .anomalies import anomalies
from .application import Application, Breakdown, Published
from .associative_recall import associative_recall
from .base import Generated, Stored, Task
from .characters import characters
from .chorales import chorales
from .copy_memory import copy_memory
from .dialogue import dialogue
from .files import files
from .forecasting import forecasting
from .formal import cycle_navigation, modular_arithmetic, parity
from .listops import listops
from .multiplication import multiplication
from .music import music
from .noisy_padded import noisy_padded
from .scan import scan
from .selective_copy import selective_copy
from .sentiment import sentiment
from .smnist import smnist
from .speech import speech
from .summarisation import summarisation
from .temporal_order import temporal_order
from .tfds import tfds
from .translation import translation
from .word_problem import word_problem

TASKS: dict[str, Callable[..., Task]] = {
    "adding": adding,
    "multiplication": multiplication,
    "copy_memory": copy_memory,
    "selective_copy": selective_copy,
    "temporal_order": temporal_order,
    "associative_recall": associative_recall,
    "noisy_padded": noisy_padded,
    "parity": parity,
    "modular_arithmetic": modular_arithmetic,
    "cycle_navigation": cycle_navigation,
    "word_problem": word_problem,
    "listops": listops,
    "smnist": smnist,
    "music": music,
    "characters": characters,
    "chorales": chorales,
    "dialogue": dialogue,
    "speech": speech,
    "summarisation": summarisation,
    "scan": scan,
    "forecasting": forecasting,
    "anomalies": anomalies,
    "tfds": tfds,
    "files": files,
    "sentiment": sentiment,
    "translation": translation,
}
"""The tasks that a config can name. To add a task, write a function with typed options and add a line here."""

__all__ = ["TASKS", "Application", "Breakdown", "Generated", "Published", "Stored", "Task"]
