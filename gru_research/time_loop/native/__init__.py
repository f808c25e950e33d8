"""The time loop by the native CPU engine (`gru_research/native`): one call for all steps, forward and backward.

Both calls are JAX primitives (`primitives.py`) with rules for derivatives of any order (`derivatives.py`) and `vmap`
(`vmap.py`). Where a call is exported, lowered for another platform, or divided among devices by XLA, XLA's time loop
computes it (`xla_fallback.py`).

Every operand has a leading axis of layers, each with parameters of its own; inputs, masks and resets may have 1 there.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import ad, batching

from gru_research.cells import dtypes
from gru_research.native import library
from gru_research.time_loop.options import UnrollOptions
from gru_research.time_loop.scan import Run
from gru_research.time_loop.vjp import forward_mode_refused
from gru_research.types import Array, Carry, Params

from .derivatives import backward_jvp, forward_jvp
from .layer import Layer, kernel_of
from .primitives import backward_p, forward_p
from .vmap import backward_vmap, forward_vmap, with_size

LONGEST = 2**27
"""Steps, rows or features; as in the engine's handlers.cc."""

ad.primitive_jvps[forward_p] = forward_jvp
ad.primitive_jvps[backward_p] = backward_jvp
batching.primitive_batchers[forward_p] = with_size(forward_vmap)
batching.primitive_batchers[backward_p] = with_size(backward_vmap)


LOOKS_INSIDE = ("jax_disable_jit", "jax_debug_nans", "jax_debug_infs")
"""Settings of JAX under which each operation runs, or is checked, by itself."""


def why_not(cell: Any, params: Params, xs_T: Array, carry: Carry) -> str | None:
    """Why the engine can't run a layer, in one line; None where it can."""
    if kernel_of(cell) is None:
        return "it has no kernel"
    if jax.default_backend() != "cpu":
        return f"the engine runs on CPUs, and the default backend is {jax.default_backend()}"
    if any(getattr(jax.config, name) for name in LOOKS_INSIDE):
        return f"{', '.join(LOOKS_INSIDE)} look at single operations, and the engine is one"
    if library().missing is not None:
        return f"the engine isn't there: {library().missing}"
    if any(a.dtype != jnp.float32 for a in jax.tree.leaves(carry)) or (
        dtypes.compute_dtype(cell, params, xs_T) != jnp.float32
    ):
        return "the engine computes in float32, with a carry in float32"
    if not all(isinstance(n, int) for n in xs_T.shape):
        return f"the engine needs sizes that are numbers; the inputs are {xs_T.shape}"
    if max(xs_T.shape[0], math.prod(xs_T.shape[1:-1]), xs_T.shape[-1]) > LONGEST:
        return f"the engine takes up to {LONGEST:,} steps, rows and features; the inputs are {xs_T.shape}"
    return None


def native(cell: Any, params: Params, reset_carry: Carry, options: UnrollOptions, reverse: bool) -> Run:
    """A run that returns the outputs, None with `options.outputs="none"`, for a layer for which `why_not` is None."""

    def run(carry: Carry, steps: Any) -> tuple[Carry, Array | None]:
        xs_T, real_T, reset_before_T = steps
        time, batch = xs_T.shape[0], xs_T.shape[1:-1]
        rows = math.prod(batch)
        layer = Layer(cell, reverse, not options.time_major, real_T is not None, reset_before_T is not None)
        # In the caller's order of axes: XLA drops a transpose that is undone.
        xs = xs_T if options.time_major else jnp.moveaxis(xs_T, 0, -2)
        xs = xs.reshape(layer.over_time(1, time, rows, xs.shape[-1])).astype(jnp.float32)
        stream = lambda a: None if a is None else a.reshape(1, time, rows)  # noqa: E731
        flat = lambda tree: jax.tree.map(lambda a: a.reshape(1, rows, a.shape[-1]), tree)  # noqa: E731
        params_1 = {name: params[name][None].astype(jnp.float32) for name in layer.names}
        operands = layer.operands(params_1, flat(reset_carry), flat(carry), xs, stream(real_T), stream(reset_before_T))
        wanted = options.outputs == "all"
        with forward_mode_refused():
            outs = forward_p.bind(*operands, layer=layer, ys=wanted, record=False)
        final = jax.tree.unflatten(
            jax.tree.structure(carry), [a.reshape(*batch, a.shape[-1]) for a in outs[: layer.parts]]
        )
        if not wanted:
            return final, None
        ys = outs[layer.parts]
        if options.time_major:
            return final, ys.reshape(time, *batch, ys.shape[-1])
        return final, jnp.moveaxis(ys.reshape(*batch, time, ys.shape[-1]), -2, 0)

    return run
