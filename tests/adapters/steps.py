"""Inputs, a loss and a loop over steps, with which tests of subclasses compare `RNN`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gru_research as gr
from tests.adapters.scenarios import B, H, I, T, draw

XS: Any = draw(B, T, I, seed=1)
STEP = jax.ShapeDtypeStruct((B, I), jnp.float32)
LENGTHS = np.array([T, 1, 4], np.int32)


def loss(carry: Any, ys: Any) -> Any:
    """A number in which every output and every part of the last carry counts."""
    return (draw(B, T, H, seed=2) * ys).sum() + sum((draw(B, H, seed=3) * a).sum() for a in jax.tree.leaves(carry))


def by_steps(step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any) -> tuple[Any, Any]:
    ys = []
    for t in range(xs.shape[1]):
        carry, y = step(carry, xs[:, t])
        ys.append(y)
    return carry, jnp.stack(ys, 1)


def doubled(params: Any) -> Any:
    return params | {name: 2 * a for name, a in params.items() if name.startswith("U_")}


class Clipped(gr.GRU):
    def combine(self, carry: Any, g: Any) -> Any:
        h, y = super().combine(carry, g)
        return jnp.clip(h, -0.3, 0.3), jnp.clip(y, -0.3, 0.3)


class Halved(gr.GRU):
    def step(self, params: Any, carry: Any, x: Any) -> Any:
        h, _ = super().step(params, carry, x)
        return (carry + h) / 2, (carry + h) / 2
