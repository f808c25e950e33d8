"""Training: models, seeds side by side, and the comparison of cells."""

from . import processes
from .cell import train_cell
from .checkpoint import load_parameters, save_parameters
from .comparison import CHECKPOINT_SECONDS, environment, prepare_comparison, run_comparison
from .defaults import with_every_option
from .loop import UPDATES_PER_CALL, Hooks, InterruptedRun, Progress
from .pace import is_open
from .plan import CellPlan, Plan, make_plan, nearest_size
from .resume import CONFIG_FILE, HARMLESS, look
from .seeds import SeedAxis, make_seed_axis

__all__ = [
    "CHECKPOINT_SECONDS",
    "CONFIG_FILE",
    "HARMLESS",
    "UPDATES_PER_CALL",
    "CellPlan",
    "Hooks",
    "InterruptedRun",
    "Plan",
    "Progress",
    "SeedAxis",
    "environment",
    "is_open",
    "load_parameters",
    "look",
    "make_plan",
    "make_seed_axis",
    "nearest_size",
    "prepare_comparison",
    "processes",
    "run_comparison",
    "save_parameters",
    "train_cell",
    "with_every_option",
]
