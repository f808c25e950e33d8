"""A user's NNX module as a model."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx as flax_nnx

from gru_research.cells import Cell
from gru_research.layers import read_states, real_steps
from gru_research.spec import Spec
from gru_research.time_loop import unroll
from gru_research.types import Array, Batch, Params, PRNGKey

from .call_by_name import call_by_name


@dataclasses.dataclass(frozen=True)
class NNXModel:
    """An NNX module as a model; its parameters are the pure dict of its `nnx.Param`s.

    Attributes:
      make: `make(rngs) -> module`: the constructor, as in `lambda rngs: Classifier(8, 32, rngs=rngs)`.
      call: `call(module, batch, train) -> outputs`. The module is in its `train()` or, where `key` is None, in
        its `eval()` mode.
    """

    make: Callable[[flax_nnx.Rngs], Any]
    call: Callable[[Any, Batch, bool], Any] = call_by_name

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """The module's parameters; raises ValueError where it has other state than these and random streams."""
        del example
        _, params, _, rest = flax_nnx.split(self.make(flax_nnx.Rngs(key)), flax_nnx.Param, flax_nnx.RngState, ...)
        others = sorted({type(variable).__name__ for _, variable in flax_nnx.to_flat_state(rest)})
        if others:
            raise ValueError(f"module has the state {', '.join(others)}; a model has Params alone")
        return flax_nnx.to_pure_dict(params)

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Any:
        """What `call` returns, with `params` in a module whose streams start from `key`."""
        # A new module a call: streams count, and one made here may. Under jit its own parameters are never computed.
        module = self.make(flax_nnx.Rngs(jax.random.key(0) if key is None else key))
        state = flax_nnx.state(module, flax_nnx.Param)
        flax_nnx.replace_by_pure_dict(state, dict(params))
        flax_nnx.update(module, state)
        (module.eval if key is None else module.train)()
        return self.call(module, batch, key is not None)


class Recurrent(flax_nnx.Module):
    """An embedding for tokens, a layer of a cell and a linear readout, made of NNX's parts.

    Args:
      spec, cell: the task's, and the cell of the comparison.
      embedding_size: of tokens.
      dropout: the rate at which what the readout reads is dropped in training.
    """

    def __init__(
        self, spec: Spec, cell: Cell, embedding_size: int = 64, dropout: float = 0.0, *, rngs: flax_nnx.Rngs
    ) -> None:
        self.spec, self.cell = spec, cell
        input_size = embedding_size if spec.vocabulary else spec.example["inputs"].shape[-1]
        self.embedding = (
            flax_nnx.Embed(spec.vocabulary, embedding_size, rngs=rngs) if spec.vocabulary else flax_nnx.data(None)
        )
        # One Param an array: a tree within a Param isn't seen by NNX's own functions.
        self.params = flax_nnx.data(jax.tree.map(flax_nnx.Param, dict(cell.init(rngs.params(), input_size))))
        self.dropout = flax_nnx.Dropout(dropout, rngs=rngs)
        self.readout = flax_nnx.Linear(cell.hidden_size, spec.output_size, rngs=rngs)

    def __call__(
        self, inputs: Array, lengths: Array | None = None, mask: Array | None = None, resets: Array | None = None
    ) -> Array:
        """Inputs `[B, T, I]` or tokens `[B, T]` to `[B, C]`, or `[B, T, C]` where every step answers."""
        xs = inputs if self.embedding is None else self.embedding(inputs)
        params = jax.tree.map(lambda p: p[...], self.params, is_leaf=lambda leaf: isinstance(leaf, flax_nnx.Param))
        carry, ys = unroll(self.cell, params, xs, lengths=lengths, mask=mask, resets=resets)
        assert ys is not None
        real = real_steps(ys.shape[-2], lengths, mask)
        return self.readout(self.dropout(read_states(self.spec.answers or "every", self.cell.hidden(carry), ys, real)))
