"""The recurrent part of a decoder, with attention to a memory or without it."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from gru_research.cells import Cell
from gru_research.cells.arguments import split
from gru_research.cells.base import product
from gru_research.cells.dtypes import promoted
from gru_research.cells.initializers import GlorotUniform
from gru_research.layers import AttentionWrapper, Bahdanau, Luong, Memory, Stack
from gru_research.layers.attention_wrapper import WEIGHTS
from gru_research.layers.noise import drop_steps
from gru_research.time_loop import UnrollOptions, trace, unroll
from gru_research.types import Array, Carry, Params, PRNGKey

KERNEL_INIT = GlorotUniform()


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Layers of one cell, and the vector v_i from which token i is read; h_i is the top layer's state at step i.

        no attention   v_i = h_i
        Bahdanau       c_i is read by the bottom layer's state of step i - 1, and is an input of its step i
        Luong          c_i is read by h_i
                       v_i = tanh([c_i; h_i] W) with either

    The last line is equation 5 of Luong et al. 2015 (arXiv 1508.04025); it takes the place of the maxout layer of
    Bahdanau et al. 2015 (arXiv 1409.0473) too. With `Luong` no step depends on an earlier context, as the input feeding
    of that paper's section 3.3 is left out: so for given tokens all layers run first, by the loop that a `Stack` has
    anyway, and then all queries at once. With `Bahdanau` the loop of the bottom layer alone holds the attention, as in
    Wu et al. 2016 (arXiv 1609.08144); the layers above it run as a `Stack` does.

    Attributes:
      cell: of every layer.
      memory_size: E, the number of the memory's features.
      size: R, the size of v. Without attention v_i is h_i where R is H, else a linear map of it.
      layers: the number of layers.
      attention: compares states with the memory; None: no attention.
      dropout: the rate at which inputs of every layer but the first are dropped, a new mask each step.
    """

    cell: Cell
    memory_size: int
    size: int
    layers: int = 1
    attention: Bahdanau | Luong | None = None
    dropout: float = 0.0

    @property
    def stack(self) -> Stack:
        """All layers; with `Bahdanau` the bottom one has the context among its inputs."""
        return self._stack(self.layers)

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Any]:
        """`stack`, `attention` and `vector`, `W (E + H, R)` or `(H, R)`: those there are."""
        stack_key, attention_key, vector_key = split(key, 3)
        inputs, hidden = input_size, self.cell.hidden_size
        params: dict[str, Any] = {}
        if self.attention is not None:
            params["attention"] = self.attention.init(attention_key, hidden, self.memory_size)
            inputs += self.memory_size if isinstance(self.attention, Bahdanau) else 0
            hidden += self.memory_size
        params["stack"] = self.stack.init(stack_key, inputs)
        if self.attention is not None or self.size != hidden:
            params["vector"] = {"W": KERNEL_INIT(vector_key, (hidden, self.size), jnp.float32)}
        return params

    def apply(
        self,
        params: Params,
        carry: tuple[Carry, ...],
        memory: Memory | None,
        xs: Array,
        *,
        key: PRNGKey | None,
        lengths: Array | None,
        options: UnrollOptions,
    ) -> Array:
        """v `[B, U, R]` of every step from inputs `xs [B, U, I]` and the first carries; `key` draws dropout."""
        if not isinstance(self.attention, Bahdanau):
            arguments: Any = {"initial_carry": carry, "lengths": lengths, "options": options}
            _, hs = self.stack.apply(params["stack"], xs, key=key, **arguments)
            assert hs is not None
            return self._vectors(params, hs, self._read(params, hs, memory))
        between_key, above_key = (None, None) if key is None else split(key)
        bottom, bottom_params = self._bottom(params, memory)
        in_loop = dataclasses.replace(options, backend="auto")
        _, ys = unroll(bottom, bottom_params, xs, initial_carry=carry[0], lengths=lengths, options=in_loop)
        assert ys is not None
        hs, context = self._parts(ys)
        if self.layers > 1:
            if between_key is not None and self.dropout:
                hs = drop_steps(between_key, self.dropout, hs, options)
            arguments = {"initial_carry": carry[1:], "lengths": lengths, "options": options}
            _, hs = self._stack(self.layers - 1).apply(params["stack"][1:], hs, key=above_key, **arguments)
            assert hs is not None
        return self._vectors(params, hs, context)

    def step(
        self, params: Params, carry: tuple[Carry, ...], memory: Memory | None, x: Array
    ) -> tuple[tuple[Carry, ...], Array]:
        """One step of `apply` at evaluation: from `x [B, I]` to the next carries and v `[B, R]`."""
        if not isinstance(self.attention, Bahdanau):
            carry, h = self.stack.step(params["stack"], carry, x)
            return carry, self._vectors(params, h, self._read(params, h, memory))
        bottom, bottom_params = self._bottom(params, memory)
        first, y = bottom.step(bottom_params, carry[0], x)
        h, context = self._parts(y)
        above: tuple[Carry, ...] = ()
        if self.layers > 1:
            above, h = self._stack(self.layers - 1).step(params["stack"][1:], carry[1:], h)
        return (first, *above), self._vectors(params, h, context)

    def weights(
        self,
        params: Params,
        carry: tuple[Carry, ...],
        memory: Memory,
        xs: Array,
        *,
        lengths: Array | None,
        options: UnrollOptions,
    ) -> Array:
        """The weights `[B, U, T]` of every step, at evaluation; undefined past `lengths`."""
        assert self.attention is not None
        if isinstance(self.attention, Bahdanau):
            bottom, bottom_params = self._bottom(params, memory)
            in_loop = dataclasses.replace(options, backend="auto")
            return trace(bottom, bottom_params, xs, initial_carry=carry[0], lengths=lengths, options=in_loop)[2][
                WEIGHTS
            ]
        _, hs = self.stack.apply(params["stack"], xs, initial_carry=carry, lengths=lengths, options=options)
        assert hs is not None
        return self.attention.apply(params["attention"], hs, memory)[1]

    def _stack(self, layers: int) -> Stack:
        return Stack((self.cell,) * layers, self.dropout if layers > 1 else 0.0)

    def _bottom(self, params: Params, memory: Memory | None) -> tuple[AttentionWrapper, Params]:
        """The bottom layer with its attention, and its parameters with the memory."""
        assert isinstance(self.attention, Bahdanau)
        inside = {"cell": params["stack"][0], "attention": params["attention"], "memory": memory}
        return AttentionWrapper(self.cell, self.attention, self.memory_size), inside

    def _parts(self, ys: Array) -> tuple[Array, Array]:
        """Splits the outputs of `AttentionWrapper` into states and contexts."""
        return ys[..., : self.cell.hidden_size], ys[..., self.cell.hidden_size :]

    def _read(self, params: Params, hs: Array, memory: Memory | None) -> Array | None:
        """The contexts that the states `[..., H]` read; None without attention."""
        if self.attention is None:
            return None
        assert memory is not None
        return self.attention.apply(params["attention"], hs, memory)[0]

    def _vectors(self, params: Params, hs: Array, context: Array | None) -> Array:
        """v `[..., R]` of states and contexts."""
        if "vector" not in params:
            return hs
        kernel = params["vector"]["W"]
        if context is None:
            return product(hs, kernel, promoted(hs, kernel))
        dtype = promoted(hs, context, kernel)
        return jnp.tanh(product(jnp.concatenate([context.astype(dtype), hs.astype(dtype)], -1), kernel, dtype))
