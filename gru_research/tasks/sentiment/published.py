"""Test metrics from the literature, with the protocol of each."""

from collections.abc import Mapping

from ..application import Published

PUBLISHED: Mapping[str, tuple[Published, ...]] = {
    "sst2": (
        Published(
            "the LSTM of Flax's example", {"accuracy": 0.8521}, "on the development set, which is our validation set"
        ),
    ),
}
"""By data set."""
