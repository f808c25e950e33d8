"""Anybody's linen or NNX module as a model: `init(key, example) -> params`, `apply(params, batch, key) -> outputs`.

A model has parameters and nothing else: a module with other state, such as the statistics of batch
normalisation, is refused. `key=None` is evaluation.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from flax import nnx

from gru_research.types import Array, Batch, Params, PRNGKey


def call_on_inputs(module: Any, batch: Batch, train: bool) -> Array:
    """`module(batch["inputs"])`, the default `call`."""
    del train
    return module(batch["inputs"])


@dataclasses.dataclass(frozen=True)
class LinenModel:
    """A linen module as a model.

    Attributes:
      module: the module.
      call: `call(module, batch, train) -> outputs`, what to call it with; `train` is False where `key` is None.
      rngs: the names of the streams that training draws from, each with a key of its own.
    """

    module: nn.Module
    call: Callable[[Any, Batch, bool], Any] = call_on_inputs
    rngs: tuple[str, ...] = ("dropout",)

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """The module's parameters; raises ValueError where it has other variables."""
        variables = dict(self.module.init(key, example, method=lambda module, batch: self.call(module, batch, False)))
        params = variables.pop("params", {})
        if variables:
            raise ValueError(f"module has the variables {', '.join(variables)}; a model has params alone")
        return params

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Any:
        """What `call` returns, with the module bound to `params`."""
        rngs = {name: jax.random.fold_in(key, i) for i, name in enumerate(self.rngs)} if key is not None else None
        method = lambda module, batch: self.call(module, batch, key is not None)  # noqa: E731
        return self.module.apply({"params": params}, batch, rngs=rngs, method=method)


@dataclasses.dataclass(frozen=True)
class NNXModel:
    """An NNX module as a model; its parameters are the pure dict of its `nnx.Param`s.

    Attributes:
      make: `make(rngs) -> module`: the constructor, as in `lambda rngs: Classifier(8, 32, rngs=rngs)`.
      call: `call(module, batch, train) -> outputs`. The module is in its `train()` or, where `key` is None, in
        its `eval()` mode.
    """

    make: Callable[[nnx.Rngs], Any]
    call: Callable[[Any, Batch, bool], Any] = call_on_inputs

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """The module's parameters; raises ValueError where it has other state than these and random streams."""
        del example
        _, params, _, rest = nnx.split(self.make(nnx.Rngs(key)), nnx.Param, nnx.RngState, ...)
        others = sorted({type(variable).__name__ for _, variable in nnx.to_flat_state(rest)})
        if others:
            raise ValueError(f"module has the state {', '.join(others)}; a model has Params alone")
        return nnx.to_pure_dict(params)

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Any:
        """What `call` returns, with `params` in a module whose streams start from `key`."""
        # A new module a call: streams count, and one made here may. Under jit its own parameters are never computed.
        module = self.make(nnx.Rngs(jax.random.key(0) if key is None else key))
        state = nnx.state(module, nnx.Param)
        nnx.replace_by_pure_dict(state, dict(params))
        nnx.update(module, state)
        (module.eval if key is None else module.train)()
        return self.call(module, batch, key is not None)
