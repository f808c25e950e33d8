"""Collects a few test utterances with a cell's posteriors, for the report's figures."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.types import Params

from .features import Front
from .utterances import Units

SHOWN = 3
"""The most utterances that a report shows."""


def collect(
    units: Units,
    front: Front,
    step: float,
    prepare: Any,
    model: Any,
    params: Params,
    test: Mapping[str, np.ndarray],
    kept: Any,
) -> dict[str, np.ndarray]:
    """Returns of the first test utterances K: their features `frames/K [T, F]`, normalised, `said/K`, the transcript,
    `heard/K`, the greedy one, and the probability `share/K [T, C]` of the labels `names`, the blank first, at each of
    T steps of `step` seconds."""
    del kept  # the transcripts are made anew, with their posteriors
    shown = min(SHOWN, len(test["lengths"]))
    batch = prepare({name: jnp.asarray(array[:shown]) for name, array in test.items()})
    shares = np.asarray(jax.jit(lambda p, b: jax.nn.softmax(model.apply(p, b)))(params, batch))
    found: dict[str, np.ndarray] = {"names": np.array(["", *units.names]), "step": np.array(step)}
    for k in range(shown):
        length = int(test["lengths"][k])
        path = shares[k, :length].argmax(-1)
        kept = (path != 0) & (path != np.concatenate([[0], path[:-1]]))
        inputs = np.asarray(batch["inputs"][k, :length], np.float32)
        found |= {
            # Of stacked frames the first one, which has the step's time.
            f"frames/{k}": inputs[:, : inputs.shape[1] // front.stack],
            f"share/{k}": shares[k, :length],
            f"said/{k}": np.array(units.text(test["targets"][k, : int(test["target_lengths"][k])].tolist())),
            f"heard/{k}": np.array(units.text(path[kept].tolist())),
        }
    return found
