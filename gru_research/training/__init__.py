"""Training: models, seeds side by side, and the comparison of cells."""

from . import processes
from .cell import train_cell
from .checkpoint import load_parameters, save_parameters
from .defaults import with_every_option
from .loop import UPDATES_PER_CALL, Hooks, InterruptedRun, Progress
from .pace import is_open
from .plan import CellPlan, Plan, make_plan, nearest_size
from .seeds import SeedAxis, make_seed_axis

__all__ = [
    "UPDATES_PER_CALL",
    "CellPlan",
    "Hooks",
    "InterruptedRun",
    "Plan",
    "Progress",
    "SeedAxis",
    "is_open",
    "load_parameters",
    "make_plan",
    "make_seed_axis",
    "nearest_size",
    "processes",
    "save_parameters",
    "train_cell",
    "with_every_option",
]
