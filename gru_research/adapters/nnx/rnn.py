"""NNX's `RNN`. Our cells run under `unroll`, other cells under NNX's own scan."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from gru_research.adapters.sequence import Layout, advance, hide_padding, run
from gru_research.time_loop import UnrollOptions
from gru_research.types import Array, ArrayLike, Carry

from .cells import Rngs
from .overrides import ORIGINAL, whole

ALL_CARRIED: Mapping[Any, Any] = {...: nnx.Carry}
PLAIN = UnrollOptions()


class RNN(nnx.Module):
    """Flax's `nnx.RNN`: runs a cell over a sequence `[*batch, time, *features]`.

    Args:
      cell: a cell of this module, or any NNX cell. A subclass's overrides apply at every step. It is as fast as our
        cells if `functional` returns the same at every step; otherwise it runs under NNX's scan.
      time_major: whether inputs and outputs are `[time, *batch, *features]`.
      return_carry: whether a call returns `(carry, outputs)` instead of the outputs.
      reverse: whether rows are processed from their last real step to their first.
      keep_order: with `reverse`, whether outputs are in input order instead of the order of processing.
      unroll: the number of steps per loop iteration.
      state_axes, broadcast_rngs: as in `nnx.scan`. If parameters vary over time, our cells run under NNX's scan too.
      rngs: the keys for a random `carry_init`: True (a stream from seed 0), an Rngs, an RngStream, or False for none.
        Zeros need no keys.
      options: options of `gru_research.unroll` for our cells. Its `unroll` and `time_major` are ignored.
    """

    def __init__(
        self,
        cell: Any,
        *,
        time_major: bool = False,
        return_carry: bool = False,
        reverse: bool = False,
        keep_order: bool = False,
        unroll: int = 1,
        state_axes: Mapping[Any, Any] | None = None,
        broadcast_rngs: Any = None,
        rngs: Rngs | bool = True,
        options: UnrollOptions = PLAIN,
    ) -> None:
        self.cell = cell
        self.time_major, self.return_carry = time_major, return_carry
        self.reverse, self.keep_order = reverse, keep_order
        self.unroll = unroll
        self.state_axes = state_axes or nnx.StateAxes(ALL_CARRIED)
        self.broadcast_rngs = broadcast_rngs
        self.options = options
        # Flax's state contains this stream; keeping it lets whole states load. A zero carry doesn't advance it.
        if isinstance(rngs, bool):
            self.rngs = nnx.RngStream(0, tag="carry") if rngs else nnx.data(None)
        elif isinstance(rngs, nnx.Rngs | nnx.RngStream):
            self.rngs = (rngs.carry if isinstance(rngs, nnx.Rngs) else rngs).fork()
        else:
            raise ValueError(f"rngs={rngs!r} must be an Rngs, an RngStream, True or False")

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: Carry | None = None,
        seq_lengths: ArrayLike | None = None,
        return_carry: bool | None = None,
        time_major: bool | None = None,
        reverse: bool | None = None,
        keep_order: bool | None = None,
        rngs: Rngs | None = None,
    ) -> Any:
        """Returns outputs `[*batch, time, *features]`, or `(carry, outputs)`. None selects the constructor's value.

        Steps past `seq_lengths [*batch]` keep the carry and output 0. `carry` is each row's carry after its last step,
        `initial_carry` the carry before the first step.

        Raises:
          ValueError: a shape or type doesn't fit; the message names the argument.
        """
        return_carry = self.return_carry if return_carry is None else return_carry
        time_major = self.time_major if time_major is None else time_major
        reverse = self.reverse if reverse is None else reverse
        keep_order = self.keep_order if keep_order is None else keep_order

        layout = Layout.of(inputs, self.cell.num_feature_axes, time_major)
        carry = self._first_carry(layout.step_shape(inputs), rngs) if initial_carry is None else initial_carry
        x = jax.ShapeDtypeStruct(layout.step_shape(inputs), jnp.result_type(inputs))
        if self._runs_whole(x):
            options = dataclasses.replace(self.options, unroll=self.unroll, time_major=time_major)
            cell, params = self.cell.functional(jnp.zeros(x.shape, x.dtype))  # independent of the values
            order = {"reverse": reverse, "keep_order": keep_order}
            carry, ys = run(cell, params, inputs, carry, seq_lengths, options=options, **order)
        else:
            carry = layout.place(inputs, carry)
            carry, ys = self._scan(layout, inputs, carry, layout.lengths(seq_lengths), reverse, keep_order)
            ys = None if self.options.outputs == "none" else ys
        return (carry, ys) if return_carry else ys

    def _runs_whole(self, x: jax.ShapeDtypeStruct) -> bool:
        carried = self.state_axes == nnx.StateAxes(ALL_CARRIED)
        found = carried and whole(self.cell, x)
        if not found and self.options != PLAIN and not (carried and ORIGINAL.wrapped(self.cell)):
            raise ValueError(
                f"options={self.options!r} apply to the cells of this module, with no state_axes, and to subclasses "
                "whose functional gives the same at every step"
            )
        return found

    def _first_carry(self, input_shape: tuple[int, ...], rngs: Rngs | None) -> Carry:
        if ORIGINAL.holds(self.cell, "initialize_carry", "draws_carry") and not self.cell.draws_carry:
            return self.cell.initialize_carry(input_shape)
        stream = self.rngs if rngs is None else rngs
        stream = stream.carry.fork() if isinstance(stream, nnx.Rngs) else stream
        return self.cell.initialize_carry(input_shape, stream)

    def _scan(
        self, layout: Layout, inputs: Array, carry: Carry, lengths: Array | None, reverse: bool, keep_order: bool
    ) -> tuple[Carry, Any]:
        real = layout.real(lengths)
        inputs = hide_padding(layout, inputs, real)
        if reverse:
            inputs = layout.flip(inputs, lengths)
        streams = (inputs,) if real is None else (inputs, real)
        axes = (layout.time_axis, 0)[: len(streams)]
        state_axes = nnx.StateAxes({nnx.All(nnx.RngState, self.broadcast_rngs): None, **self.state_axes})

        # One split, squeezed away again, makes broadcast streams draw other numbers at every call.
        @nnx.split_rngs(splits=1, only=self.broadcast_rngs, squeeze=True)
        @nnx.compat.scan(  # type: ignore[reportPrivateImportUsage]
            in_axes=(state_axes, nnx.Carry, *axes), out_axes=(nnx.Carry, layout.time_axis), unroll=self.unroll
        )
        def scan(cell: Any, carry: Carry, x: Array, *real: Array) -> tuple[Carry, Any]:
            new, y = cell(carry, x)
            return advance(real[0] if real else None, layout.batch, new, carry, y)

        carry, ys = scan(self.cell, carry, *streams)
        return carry, layout.flip(ys, lengths) if reverse and keep_order else ys
