"""Results from the literature, on scaled values of ETTh1 and ETTh2."""

from collections.abc import Mapping

from ..application import Published

PUBLISHED: Mapping[tuple[str, int], tuple[Published, ...]] = {}
"""By data set and horizon."""
