"""Why a cell remembers or forgets: functions of (cell, params, inputs), for any cell or stack, trained or not."""

from .gradient_flow import gradient_flow, half_life
from .lyapunov import lyapunov_exponents
from .recurrence import Recurrence

__all__ = ["Recurrence", "gradient_flow", "half_life", "lyapunov_exponents"]
