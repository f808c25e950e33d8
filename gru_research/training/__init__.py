"""Trains models with many seeds side by side, and compares cells."""

from . import processes
from .batch_maker import UPDATES_PER_CALL
from .calibration import needs_measurement
from .checkpoint import load_parameters, save_parameters
from .default_options import with_every_option
from .loop import Hooks, InterruptedRun, Progress
from .plan import CellPlan, Plan, make_plan
from .seeds import SeedAxis, make_seed_axis
from .sizes import nearest_size

__all__ = [
    "UPDATES_PER_CALL",
    "CellPlan",
    "Hooks",
    "InterruptedRun",
    "Plan",
    "Progress",
    "SeedAxis",
    "load_parameters",
    "make_plan",
    "make_seed_axis",
    "nearest_size",
    "needs_measurement",
    "processes",
    "save_parameters",
    "with_every_option",
]
