"""Formats numbers for reports, tables and figures."""

import json
import math
from typing import Any

UNKNOWN = "-"
NOT_FINITE = "not finite"


def number(value: float | None, digits: int = 4) -> str:
    """Formats a number with `digits` significant digits; "-" if unknown, "not finite" if infinite."""
    if value is None:
        return UNKNOWN
    return f"{value:.{digits}g}" if math.isfinite(value) else NOT_FINITE


def count(value: float | None) -> str:
    """Formats a count with thousands separators; "-" if unknown, "inf" if infinite."""
    if value is None:
        return UNKNOWN
    return f"{value:,.10g}" if math.isfinite(value) else "inf"


def half_life(steps: float) -> str:
    """Formats a half-life in steps; infinite means that there is no fall."""
    return number(steps, 3) if math.isfinite(steps) else "doesn't fall"


def power(log10: float) -> str:
    """Formats a positive number given by its logarithm to base 10. It may be outside the range of floats."""
    if not math.isfinite(log10):
        return "0" if log10 < 0 else NOT_FINITE
    exponent = math.floor(log10)
    if -3 <= exponent <= 3:
        return f"{10**log10:.2g}"
    return f"{10 ** (log10 - exponent):.1f}e{exponent}"


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def shortened(label: str, characters: int = 28) -> str:
    """Cuts a label to `characters`, of which the last is then an ellipsis."""
    return label if len(label) <= characters else label[: characters - 1] + "…"


def json_text(value: Any) -> str:
    """Formats plain JSON for readers."""
    return json.dumps(value, indent=2, ensure_ascii=False)
