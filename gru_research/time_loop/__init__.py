"""Running a cell over time."""

from .options import UnrollOptions
from .unroll import trace, unroll

__all__ = ["UnrollOptions", "trace", "unroll"]
