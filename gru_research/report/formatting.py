"""Numbers as the text of reports, tables and figures."""

import json
import math
from typing import Any

UNKNOWN = "-"
NOT_FINITE = "not finite"


def number(value: float | None, digits: int = 4) -> str:
    """`digits` significant digits; "-" where unknown, "not finite" where infinite."""
    if value is None:
        return UNKNOWN
    return f"{value:.{digits}g}" if math.isfinite(value) else NOT_FINITE


def count(value: float | None) -> str:
    """A count with thousands separated; "-" where unknown, "inf" where infinite."""
    if value is None:
        return UNKNOWN
    return f"{value:,.10g}" if math.isfinite(value) else "inf"


def power(log10: float) -> str:
    """A positive number from its logarithm to base 10, which may be too small or too large for a float."""
    if not math.isfinite(log10):
        return "0" if log10 < 0 else NOT_FINITE
    exponent = math.floor(log10)
    if -3 <= exponent <= 3:
        return f"{10**log10:.2g}"
    return f"{10 ** (log10 - exponent):.1f}e{exponent}"


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def json_text(value: Any) -> str:
    """Plain JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)
