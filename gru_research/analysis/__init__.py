"""Why a cell remembers or forgets: functions of (cell, params, inputs), for any cell or stack, trained or not."""

from .fixed_points import FixedPoints, fixed_points, visited_carries
from .gates import GateStatistics, gate_statistics, timescales
from .gradient_flow import gradient_flow, half_life
from .influence import input_influence, memory_horizon
from .intervention import Intervened, intervene
from .jacobian import log_singular_values
from .lyapunov import lyapunov_exponents
from .probing import Probe, linear_probe, separation
from .recurrence import Recurrence

__all__ = [
    "FixedPoints",
    "GateStatistics",
    "Intervened",
    "Probe",
    "Recurrence",
    "fixed_points",
    "gate_statistics",
    "gradient_flow",
    "half_life",
    "input_influence",
    "intervene",
    "linear_probe",
    "log_singular_values",
    "lyapunov_exponents",
    "memory_horizon",
    "separation",
    "timescales",
    "visited_carries",
]
