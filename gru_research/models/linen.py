"""A user's Linen module as a model."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn

from gru_research.cells import Cell
from gru_research.layers import read_states, real_steps
from gru_research.spec import Spec
from gru_research.time_loop import unroll
from gru_research.types import Array, Batch, Params, PRNGKey

from .base import one_row
from .call_by_name import call_by_name


@dataclasses.dataclass(frozen=True)
class LinenModel:
    """A Linen module as a model: its `params` and nothing else.

    Attributes:
      module: the module.
      call: `call(module, batch, train) -> outputs` calls the module; `train` is False where `key` is None.
      rngs: the names of the streams that training draws from, each with a key of its own.
    """

    module: nn.Module
    call: Callable[[Any, Batch, bool], Any] = call_by_name
    rngs: tuple[str, ...] = ("dropout",)

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """The module's parameters; raises ValueError where it has other variables, such as statistics of a batch."""
        method = lambda module, batch: self.call(module, batch, False)  # noqa: E731
        variables = dict(self.module.init(key, one_row(example), method=method))
        params = variables.pop("params", {})
        if variables:
            raise ValueError(f"module has the variables {', '.join(variables)}; a model has params alone")
        return params

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Any:
        """What `call` returns, with the module bound to `params`."""
        rngs = {name: jax.random.fold_in(key, i) for i, name in enumerate(self.rngs)} if key is not None else None
        method = lambda module, batch: self.call(module, batch, key is not None)  # noqa: E731
        return self.module.apply({"params": params}, batch, rngs=rngs, method=method)


class Recurrent(nn.Module):
    """An embedding for tokens, a layer of a cell and a Dense readout, made of Linen's parts.

    Attributes:
      spec, cell: the task's, and the cell of the comparison.
      embedding_size: of tokens.
      dropout: the rate at which what the readout reads is dropped in training.
    """

    spec: Spec
    cell: Cell
    embedding_size: int = 64
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, inputs: Array, lengths: Array | None = None, mask: Array | None = None, resets: Array | None = None,
        train: bool = False,
    ) -> Array:  # fmt: skip
        """Inputs `[B, T, I]` or tokens `[B, T]` to `[B, C]`, or `[B, T, C]` where every step answers."""
        if self.spec.vocabulary:
            inputs = nn.Embed(self.spec.vocabulary, self.embedding_size)(inputs)
        params = self.param("cell", self.cell.init, inputs.shape[-1])
        carry, ys = unroll(self.cell, params, inputs, lengths=lengths, mask=mask, resets=resets)
        assert ys is not None
        real = real_steps(ys.shape[-2], lengths, mask)
        states = read_states(self.spec.answers or "every", self.cell.hidden(carry), ys, real)
        return nn.Dense(self.spec.output_size)(nn.Dropout(self.dropout, deterministic=not train)(states))
