"""Training noise inside one recurrent layer, and a cell unrolled with it."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells import base, dtypes
from gru_research.cells.arguments import operations_are_checked, split
from gru_research.cells.checks import number, rate
from gru_research.cells.wrapper import hidden_part
from gru_research.time_loop import UnrollOptions, unroll
from gru_research.time_loop.masks import without_padding
from gru_research.time_loop.sharding import alike
from gru_research.types import Array, Carry, Params, PRNGKey

from .noisy_cells import StateDropout, Zoneout, keep


@dataclasses.dataclass(frozen=True)
class Noise:
    """The noise of a layer in training. Rates are in [0, 1), 0 is off. Dropout divides what it keeps by 1 - rate.
    Without a key there is no noise, and zoneout takes its expectation.

    Attributes:
      input_dropout: of the layer's inputs, one mask for all steps of a row (Gal and Ghahramani 2016,
        arXiv 1512.05287).
      state_dropout: of h where the gates read it, one mask for all steps of a row (the same paper). The old state
        that the carry keeps, `z * h` in a GRU and c in an LSTM, isn't dropped.
      zoneout: the probability that a unit of h keeps its previous value; a new mask each step (Krueger et al.
        2017, arXiv 1606.01305).
      zoneout_cell: the same for the other parts of the carry: c of an LSTM, whose h is made from c before
        zoneout, as in the paper. An error for a cell whose carry is h alone.
      drop_connect: of the entries of the recurrent kernels `U_*`, one mask a call (Merity et al. 2018,
        arXiv 1708.02182).
      weight_noise: the standard deviation of Gaussian noise on every parameter of the layer's cell, drawn once a
        call (Graves 2011).
    """

    input_dropout: float = 0.0
    state_dropout: float = 0.0
    zoneout: float = 0.0
    zoneout_cell: float = 0.0
    drop_connect: float = 0.0
    weight_noise: float = 0.0

    def __post_init__(self) -> None:
        for field in ("input_dropout", "state_dropout", "zoneout", "zoneout_cell", "drop_connect"):
            object.__setattr__(self, field, rate(field, getattr(self, field)))
        deviation = number("weight_noise", self.weight_noise, "a standard deviation: a number, 0 or more", least=0)
        object.__setattr__(self, "weight_noise", deviation)

    @property
    def draws(self) -> bool:
        """Whether anything is random in training."""
        return any(getattr(self, field.name) for field in dataclasses.fields(self))

    def check(self, cell: base.Cell) -> None:
        """Raises ValueError where `cell` has nothing that this noise acts on."""
        if self.zoneout_cell and not has_cell_state(cell):
            raise ValueError(
                f"zoneout_cell={self.zoneout_cell!r} needs a carry with more than h; this cell has h: {cell}"
            )


def has_cell_state(cell: base.Cell) -> bool:
    """Whether the carry of `cell` is more than h, as an LSTM's `(c, h)`."""
    with jax.enable_x64(True):  # a cell in float64 may be described before x64 is turned on, and without a warning
        params = jax.eval_shape(lambda: cell.init(jax.random.key(0), 1))
        parts = jax.tree.leaves(_carry_shapes(cell, params, ()))
    return sum(jnp.issubdtype(a.dtype, jnp.inexact) for a in parts) > 1


def evaluated(cell: base.Cell, noise: Noise, params: Params) -> base.Cell:
    """The cell for evaluation: with zoneout's expectation, where there is zoneout."""
    if not (noise.zoneout or noise.zoneout_cell):
        return cell
    return Zoneout(cell, _zoneout_rates(cell, noise, _carry_shapes(cell, params, ())))


def unroll_noisy(
    cell: base.Cell,
    noise: Noise,
    params: Params,
    xs: Array,
    *,
    key: PRNGKey | None,
    options: UnrollOptions,
    **arguments: Any,
) -> tuple[Carry, Array | None]:
    """`unroll` of `cell` with `noise` drawn from `key`; None is evaluation. `arguments` are those of `unroll`."""
    if key is None or not noise.draws:
        return unroll(evaluated(cell, noise, params), params, xs, options=options, **arguments)
    batch, time = batch_and_time(xs, options)
    if operations_are_checked():
        xs = without_padding(xs, arguments.get("lengths"), arguments.get("mask"), options.time_major)
    weight_key, connect_key, input_key, state_key, zoneout_key = split(key, 5)
    if noise.weight_noise:
        params = add_weight_noise(weight_key, noise.weight_noise, params)
    if noise.drop_connect:
        params = drop_connections(connect_key, noise.drop_connect, params)
    if not jnp.issubdtype(xs.dtype, jnp.floating):
        xs = xs.astype(dtypes.compute_dtype(cell, params, xs))
    if noise.input_dropout:
        kept = jax.random.bernoulli(input_key, 1 - noise.input_dropout, (*batch, xs.shape[-1]))
        xs = keep(xs, jnp.expand_dims(kept, 0 if options.time_major else -2), noise.input_dropout)

    shapes = _carry_shapes(cell, params, batch)
    if noise.zoneout or noise.zoneout_cell:
        rates = _zoneout_rates(cell, noise, shapes)
        sizes = tuple(a.shape[-1] if rate else 0 for a, rate in zip(jax.tree.leaves(shapes), rates, strict=True))
        keys = jax.random.split(zoneout_key, len(rates))
        masks = [
            draw_along_time(k, rate, time, (*batch, size), options).astype(xs.dtype)
            for k, rate, size in zip(keys, rates, sizes, strict=True)
            if rate
        ]
        xs = jnp.concatenate(alike([xs, *masks], xs), -1)
        cell = Zoneout(cell, rates, sizes)
    if noise.state_dropout:
        h_shape = jax.tree.leaves(shapes)[hidden_part(cell, shapes)].shape
        kept = jax.random.bernoulli(state_key, 1 - noise.state_dropout, h_shape)
        cell, params = StateDropout(cell, noise.state_dropout), {"cell": params, "kept": kept}
    return unroll(cell, params, xs, options=options, **arguments)


def add_weight_noise(key: PRNGKey, deviation: float, params: Params) -> Params:
    """Every array of `params` plus `N(0, deviation^2)`."""
    leaves, tree = jax.tree.flatten(params)
    wide = dtypes.accumulation_dtype(jnp.result_type(*leaves))
    noise = deviation * jax.random.normal(key, (sum(a.size for a in leaves),), wide)
    noisy = [(a + n).astype(a.dtype) for a, n in zip(leaves, _cut(noise, leaves), strict=True)]
    return jax.tree.unflatten(tree, noisy)


def drop_connections(key: PRNGKey, rate: float, params: Params) -> Params:
    """`params` with dropout on the entries of the recurrent kernels `U_*`."""
    kernels = {name: params[name] for name in sorted(params) if name.startswith("U_")}
    if not kernels:
        raise ValueError(f"drop_connect={rate!r} needs recurrent kernels U_*; the parameters are {', '.join(params)}")
    arrays = list(kernels.values())
    kept = _cut(jax.random.bernoulli(key, 1 - rate, (sum(a.size for a in arrays),)), arrays)
    return {**params, **{name: keep(a, k, rate) for (name, a), k in zip(kernels.items(), kept, strict=True)}}


def _cut(flat: Array, like: Sequence[Array]) -> list[Array]:
    """Splits `flat [N]` into the shapes of `like`: one draw compiles many times faster than a draw for each array."""
    ends = list(itertools.accumulate(a.size for a in like))
    return [flat[end - a.size : end].reshape(a.shape) for end, a in zip(ends, like, strict=True)]


def drop_steps(key: PRNGKey, rate: float, xs: Array, options: UnrollOptions) -> Array:
    """Dropout on `xs [..., T, I]` with a new mask each step."""
    batch, time = batch_and_time(xs, options)
    return keep(xs, draw_along_time(key, 1 - rate, time, (*batch, xs.shape[-1]), options), rate)


def batch_and_time(xs: Array, options: UnrollOptions) -> tuple[tuple[int, ...], int]:
    """The batch axes and the number of steps of `xs`."""
    shape = xs.shape[:-1]
    return (shape[1:], shape[0]) if options.time_major else (shape[:-1], shape[-1])


def draw_along_time(key: PRNGKey, rate: float, time: int, shape: tuple[int, ...], options: UnrollOptions) -> Array:
    """Draws True at `rate`, `[T, *shape]`; `options` say where time is, and the draws are the same either way."""
    drawn_T = jax.random.bernoulli(key, rate, (time, *shape))
    return drawn_T if options.time_major else jnp.moveaxis(drawn_T, 0, -2)


def _carry_shapes(cell: base.Cell, params: Params, batch: tuple[int, ...]) -> Carry:
    return jax.eval_shape(lambda p: cell.initial_carry(p, batch), params)


def _zoneout_rates(cell: base.Cell, noise: Noise, carry: Carry) -> tuple[float, ...]:
    """The rate of each part of the carry; 0 for whole numbers, such as a count of steps."""
    h, parts = hidden_part(cell, carry), jax.tree.leaves(carry)
    rates = (noise.zoneout if part == h else noise.zoneout_cell for part in range(len(parts)))
    return tuple(rate if jnp.issubdtype(a.dtype, jnp.inexact) else 0.0 for rate, a in zip(rates, parts, strict=True))
