"""Test metrics from the literature, with the protocol of each."""

from collections.abc import Mapping

from ..application import Published

PUBLISHED: Mapping[str, tuple[Published, ...]] = {}
"""By data set."""
