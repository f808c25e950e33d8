"""From Flax's GRU to ours by changing one import, with the losses and times of both.

    python docs/migrating_from_flax.py                 a minute or two on a CPU
    python docs/migrating_from_flax.py --steps=20 --batch=8 --time=16 --hidden=16

Trains a classifier (is the sum of the marked numbers above 1?) twice in NNX and twice in linen: once with
Flax's modules, once with ours, from the same parameters and on the same batches. The code of the model is
the same; `rnn` is `flax.nnx` or `gru_research.adapters.nnx`, `flax.linen` or `gru_research.adapters.linen`.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx

from gru_research.adapters import linen as our_linen
from gru_research.adapters import nnx as our_nnx

OPTIMIZER = optax.adam(1e-3)
TOLERANCE = 1e-4
"""Of the losses: rounding differences of 1e-7 grow as training goes on."""


class Run(NamedTuple):
    """A training run: the loss of every update, and milliseconds an update, compilation apart."""

    losses: np.ndarray
    ms: float


def batch(key: jax.Array, size: int, time: int) -> tuple[jax.Array, jax.Array]:
    """Numbers in [0, 1] with two marked, `[B, T, 2]`, and whether the marked ones sum to more than 1, `[B]`."""
    number_key, mark_key = jax.random.split(key)
    numbers = jax.random.uniform(number_key, (size, time))
    order = jnp.argsort(jax.random.uniform(mark_key, (size, time)))
    marked = (order < 2).astype(jnp.float32)
    return jnp.stack([numbers, marked], -1), (numbers * marked).sum(-1) > 1


class NNXClassifier(nnx.Module):
    """The last state of a GRU, and a linear layer."""

    def __init__(self, rnn: ModuleType, hidden: int, *, rngs: nnx.Rngs) -> None:
        self.rnn = rnn.RNN(rnn.GRUCell(2, hidden, rngs=rngs))
        self.out = nnx.Linear(hidden, 1, rngs=rngs)

    def __call__(self, xs: jax.Array) -> jax.Array:
        return self.out(self.rnn(xs)[:, -1])[:, 0]


class LinenClassifier(linen.Module):
    """The same in linen."""

    rnn: ModuleType
    hidden: int

    @linen.compact
    def __call__(self, xs: jax.Array) -> jax.Array:
        return linen.Dense(1)(self.rnn.RNN(self.rnn.GRUCell(self.hidden))(xs)[:, -1])[:, 0]


def nnx_runs(options: argparse.Namespace) -> tuple[Run, Run]:
    """Flax's run and ours, from Flax's parameters."""
    theirs = NNXClassifier(nnx, options.hidden, rngs=nnx.Rngs(0))
    ours = NNXClassifier(our_nnx, options.hidden, rngs=nnx.Rngs(1))
    nnx.update(ours, nnx.state(theirs))  # the trees are the same

    def run(model: NNXClassifier) -> Run:
        graph, params, rest = nnx.split(model, nnx.Param, ...)
        return train(lambda params, xs: nnx.merge(graph, params, rest, copy=True)(xs), params, options)

    return run(theirs), run(ours)


def linen_runs(options: argparse.Namespace) -> tuple[Run, Run]:
    """Flax's run and ours, from Flax's parameters."""
    theirs, ours = (LinenClassifier(library, options.hidden) for library in (linen, our_linen))
    params = theirs.init(jax.random.key(0), jnp.zeros((1, options.time, 2)))
    return train(theirs.apply, params, options), train(ours.apply, params, options)


def train(apply: Callable[[Any, jax.Array], Any], params: Any, options: argparse.Namespace) -> Run:
    """`options.steps` updates of Adam."""

    @jax.jit
    def update(params: Any, state: Any, step: jax.Array) -> Any:
        xs, targets = batch(jax.random.fold_in(jax.random.key(1), step), options.batch, options.time)

        def loss(params: Any) -> jax.Array:
            return optax.sigmoid_binary_cross_entropy(apply(params, xs), targets).mean()

        value, grads = jax.value_and_grad(loss)(params)
        updates, state = OPTIMIZER.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    state = OPTIMIZER.init(params)
    compiled = update.lower(params, state, jnp.asarray(0)).compile()
    losses, seconds = [], []
    for step in range(options.steps):
        start = time.perf_counter()
        params, state, value = compiled(params, state, jnp.asarray(step))
        losses.append(float(value))  # waits
        seconds.append(time.perf_counter() - start)
    return Run(np.array(losses), 1e3 * float(np.median(seconds)))


def main(argv: Sequence[str] | None = None) -> dict[str, tuple[Run, Run]]:
    """Runs both and prints a table; raises RuntimeError where the losses aren't the same numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("steps", 100), ("batch", 32), ("time", 128), ("hidden", 128)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args(argv)
    results = {"nnx": nnx_runs(options), "linen": linen_runs(options)}
    print(f"{options.steps} updates, B={options.batch} T={options.time} H={options.hidden}, {jax.devices()[0]}")
    print(
        f"{'':8}{'first loss':>12}{'last loss':>12}{'ours, last':>12}{'difference':>12}{'ms':>9}{'ours':>9}{'ratio':>7}"
    )
    for name, (theirs, ours) in results.items():
        difference = float(np.abs(theirs.losses - ours.losses).max())
        losses = f"{theirs.losses[0]:12.6f}{theirs.losses[-1]:12.6f}{ours.losses[-1]:12.6f}{difference:12.1e}"
        print(f"{name:8}{losses}{theirs.ms:9.2f}{ours.ms:9.2f}{theirs.ms / ours.ms:7.2f}")
        if difference > TOLERANCE:
            raise RuntimeError(f"{name}: the losses differ by {difference}")
    return results


if __name__ == "__main__":
    main()
