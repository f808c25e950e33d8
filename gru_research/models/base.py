"""The contract of a model: a frozen description whose parameters, and whose state while it generates, are pytrees."""

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.types import Array, Batch, Params, PRNGKey


@runtime_checkable
class Model(Protocol):
    """A trainable model.

    It is frozen and holds no arrays. Its parameters are its only state, which makes seeds side by side, resuming and
    sharding simple.
    """

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """The parameters for inputs like `example`: one example without a batch axis. Only its shapes and types are
        read."""
        ...

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Any:
        """The outputs of a batch, any pytree with a leading batch axis; `key` draws the noise of training, None is
        evaluation. A model that generates reads the targets (teacher forcing) and gives the logits `[B, U, V]` of each
        of their tokens, or outputs whose `logs [B, U]` are the logarithms of the targets' probabilities."""
        ...


@runtime_checkable
class Generator(Model, Protocol):
    """A model that generates: `start` and `step` give the logits that `apply` gives for the same tokens.

    A state is a pytree whose arrays all have a leading batch axis, so that rows can be chosen from it.
    """

    def start(self, params: Params, batch: Batch) -> tuple[Any, Array]:
        """From a batch, whose targets aren't read, to the state and the logits `[B, V]` of the first token."""
        ...

    def step(self, params: Params, state: Any, tokens: Array) -> tuple[Any, Array]:
        """From the state and the tokens `[B]` chosen last to the next state and the next token's logits `[B, V]`."""
        ...


def one_row(example: Batch) -> dict[str, Array]:
    """Zeros like one example, as a batch of one row."""
    return {name: jnp.asarray(np.zeros((1, *a.shape), a.dtype)) for name, a in example.items()}


def no_generation(model: Any) -> str | None:
    """Why a model can't generate, as the end of a sentence that begins with the model; None where it can."""
    if not isinstance(model, Generator):
        return "has no start and step"
    return getattr(model, "no_generation", None)


def no_attention(model: Any) -> str | None:
    """Why a model can't say what it reads, as the end of a sentence that begins with the model; None where it can.

    One that can has `attend(params, batch) -> [B, U, T]`: the weights with which it reads the inputs' T steps for each
    of the batch's targets. Its `no_attention`, where it has one, says why this one can't all the same."""
    if not callable(getattr(model, "attend", None)):
        return "has no attend"
    return getattr(model, "no_attention", None)


def count_parameters(model: Model, example: Batch) -> int:
    """The number of trained values, readout included; nothing is computed."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), example)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))
