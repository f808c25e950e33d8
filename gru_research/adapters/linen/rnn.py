"""Linen's `RNN`. Our cells run under `unroll`, other cells under linen's own scan."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.core import FrozenDict
from flax.core.scope import in_filter

from gru_research.adapters.sequence import Layout, advance, hide_padding
from gru_research.time_loop import UnrollOptions
from gru_research.types import Array, ArrayLike, Carry, PRNGKey

from .cells import WholeSequence
from .overrides import whole

PLAIN = UnrollOptions()


class RNN(nn.Module):
    """Flax's `linen.RNN`: runs a cell over a sequence `[*batch, time, *features]`.

    Attributes:
      cell: a cell of this module, or any linen cell. A subclass's overrides apply at every step. It is as fast as our
        cells if `functional` and `parameters` return the same at every step; otherwise it runs under linen's scan.
      time_major: whether inputs and outputs are `[time, *batch, *features]`.
      return_carry: whether a call returns `(carry, outputs)` instead of the outputs.
      reverse: whether rows are processed from their last real step to their first.
      keep_order: with `reverse`, whether outputs are in input order instead of the order of processing.
      unroll: the number of steps per loop iteration.
      variable_axes, variable_broadcast, variable_carry, split_rngs: as in `nn.scan`. If parameters aren't broadcast
        over time, our cells run under linen's scan too.
      options: options of `gru_research.unroll` for our cells. Its `unroll` and `time_major` are ignored.
    """

    cell: Any
    time_major: bool = False
    return_carry: bool = False
    reverse: bool = False
    keep_order: bool = False
    unroll: int = 1
    variable_axes: Mapping[Any, Any] = FrozenDict()
    variable_broadcast: Any = "params"
    variable_carry: Any = False
    split_rngs: Mapping[Any, bool] = FrozenDict({"params": False})
    options: UnrollOptions = PLAIN

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: Carry | None = None,
        init_key: PRNGKey | None = None,
        seq_lengths: ArrayLike | None = None,
        return_carry: bool | None = None,
        time_major: bool | None = None,
        reverse: bool | None = None,
        keep_order: bool | None = None,
    ) -> Any:
        """Returns outputs `[*batch, time, *features]`, or `(carry, outputs)`. None selects the attribute's value.

        Steps past `seq_lengths [*batch]` keep the carry and output 0. `carry` is each row's carry after its last step.
        `initial_carry` is the carry before the first step; if None, it is drawn with `init_key` (`jax.random.key(0)`).

        Raises:
          ValueError: a shape or type doesn't fit; the message names the argument.
        """
        return_carry = self.return_carry if return_carry is None else return_carry
        time_major = self.time_major if time_major is None else time_major
        reverse = self.reverse if reverse is None else reverse
        keep_order = self.keep_order if keep_order is None else keep_order

        layout = Layout.of(inputs, self.cell.num_feature_axes, time_major)
        carry = initial_carry
        if carry is None:
            key = jax.random.key(0) if init_key is None else init_key
            carry = self.cell.initialize_carry(key, layout.step_shape(inputs))
        if self._runs_whole(jax.ShapeDtypeStruct(layout.step_shape(inputs), jnp.result_type(inputs))):
            options = dataclasses.replace(self.options, unroll=self.unroll, time_major=time_major)
            carry, ys = self.cell(WholeSequence(carry, seq_lengths, reverse, keep_order, options), inputs)
        else:
            carry = layout.place(inputs, carry)
            carry, ys = self._scan(layout, inputs, carry, layout.lengths(seq_lengths), reverse, keep_order)
        return (carry, ys) if return_carry else ys

    @nn.nowrap
    def _runs_whole(self, x: jax.ShapeDtypeStruct) -> bool:
        broadcast = in_filter(self.variable_broadcast, "params") and not self.variable_axes and not self.variable_carry
        found = broadcast and whole(self.cell, x)
        if not found and self.options != PLAIN:
            raise ValueError(
                f"options={self.options!r} apply to the cells of this module, parameters broadcast, and to subclasses "
                "whose functional and parameters give the same at every step"
            )
        return found

    @nn.nowrap
    def _scan(
        self, layout: Layout, inputs: Array, carry: Carry, lengths: Array | None, reverse: bool, keep_order: bool
    ) -> tuple[Carry, Any]:
        real = layout.real(lengths)
        inputs = hide_padding(layout, inputs, real)
        if reverse:
            inputs = layout.flip(inputs, lengths)
        streams = (inputs,) if real is None else (inputs, real)

        def step(cell: Any, carry: Carry, x: Array, *real: Array) -> tuple[Carry, Any]:
            new, y = cell(carry, x)
            return advance(real[0] if real else None, layout.batch, new, carry, y)

        scan = nn.scan(
            step,
            in_axes=(layout.time_axis, 0)[: len(streams)],  # type: ignore[arg-type]
            out_axes=layout.time_axis,
            unroll=self.unroll,
            variable_axes=self.variable_axes,
            variable_broadcast=self.variable_broadcast,
            variable_carry=self.variable_carry,
            split_rngs=self.split_rngs,
        )
        carry, ys = scan(self.cell, carry, *streams)
        return carry, layout.flip(ys, lengths) if reverse and keep_order else ys
