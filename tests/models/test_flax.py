"""Linen and NNX modules as models, and that the package needs no Flax."""

import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import gru_research as gr
from gru_research.adapters import linen as our_linen
from gru_research.adapters import nnx as our_nnx
from gru_research.models import MODELS as MODELS_BY_KIND
from gru_research.models.linen import LinenModel
from gru_research.models.nnx import NNXModel
from gru_research.spec import Spec

KEY, OTHER = jax.random.split(jax.random.key(0))
BATCH = {"inputs": np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32), "lengths": np.array([5, 2])}
EXAMPLE = {name: jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for name, a in BATCH.items()}


class LinenNet(nn.Module):
    normalise: bool = False

    @nn.compact
    def __call__(self, xs: Any, lengths: Any = None, train: bool = False) -> Any:
        carry, _ = our_linen.RNN(our_linen.GRUCell(4), return_carry=True)(xs, seq_lengths=lengths)
        h = nn.Dropout(0.5, deterministic=not train)(carry)
        return nn.BatchNorm(use_running_average=True)(h) if self.normalise else nn.Dense(2)(h)


class NNXNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, normalise: bool = False) -> None:
        self.rnn = our_nnx.RNN(our_nnx.GRUCell(3, 4, rngs=rngs), return_carry=True)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.layers = nnx.List([nnx.Linear(4, 2, rngs=rngs)])
        self.norm = nnx.BatchNorm(4, rngs=rngs) if normalise else nnx.data(None)

    def __call__(self, xs: Any, lengths: Any = None) -> Any:
        carry, _ = self.rnn(xs, seq_lengths=lengths)
        return self.layers[0](self.dropout(carry))


MODELS: dict[str, Any] = {
    "linen": LinenModel(LinenNet(), call=lambda module, batch, train: module(batch["inputs"], batch["lengths"], train)),
    "nnx": NNXModel(NNXNet, call=lambda module, batch, train: module(batch["inputs"], batch["lengths"])),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_module_is_a_model(name: str) -> None:
    model = MODELS[name]
    params = model.init(KEY, EXAMPLE)
    shapes = jax.eval_shape(model.init, KEY, EXAMPLE)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(lambda a: a.shape, shapes)
    apply = jax.jit(model.apply)
    evaluated = apply(params, BATCH)
    assert evaluated.shape == (2, 2)
    np.testing.assert_array_equal(evaluated, apply(params, BATCH))
    np.testing.assert_array_equal(apply(params, BATCH, KEY), apply(params, BATCH, KEY))
    assert (apply(params, BATCH, KEY) != apply(params, BATCH, OTHER)).any()
    shorter = {"inputs": BATCH["inputs"][1:, :2], "lengths": BATCH["lengths"][1:]}
    np.testing.assert_allclose(model.apply(params, shorter)[0], evaluated[1], rtol=1e-5, atol=1e-6)
    grads = jax.jit(jax.grad(lambda p: (apply(p, BATCH, KEY) ** 2).sum()))(params)
    assert jax.tree.structure(grads) == jax.tree.structure(params)
    assert all((g != 0).any() for g in jax.tree.leaves(grads))


def test_what_it_computes_is_what_the_module_computes() -> None:
    params = LinenModel(LinenNet()).init(KEY, EXAMPLE)
    expected = LinenNet().apply({"params": params}, BATCH["inputs"], BATCH["lengths"])
    np.testing.assert_array_equal(LinenModel(LinenNet()).apply(params, BATCH), expected)
    module = NNXNet(nnx.Rngs(KEY))
    module.eval()
    params = NNXModel(NNXNet).init(KEY, EXAMPLE)
    np.testing.assert_array_equal(NNXModel(NNXNet).apply(params, BATCH), module(BATCH["inputs"], BATCH["lengths"]))
    zeros = jax.tree.map(jnp.zeros_like, params)
    assert (NNXModel(NNXNet).apply(zeros, BATCH) == 0).all()


def test_other_state_is_refused() -> None:
    with pytest.raises(ValueError, match="variables batch_stats; a model has params alone"):
        LinenModel(LinenNet(normalise=True)).init(KEY, EXAMPLE)
    with pytest.raises(ValueError, match="state BatchStat; a model has Params alone"):
        NNXModel(lambda rngs: NNXNet(rngs, normalise=True)).init(KEY, EXAMPLE)


def test_the_package_needs_no_flax() -> None:
    program = "import sys, gru_research, gru_research.adapters; sys.exit('flax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("kind", ["linen", "nnx"])
@pytest.mark.parametrize("stream", ["lengths", "mask"])
def test_the_mean_is_over_real_steps(kind: str, stream: str) -> None:
    spec = Spec({"inputs": EXAMPLE["inputs"]}, 2, "mean")
    model = MODELS_BY_KIND[kind](spec, gr.GRU(4))
    params = model.init(KEY, spec.example)
    real = {"lengths": BATCH["lengths"]} if stream == "lengths" else {"mask": np.arange(5) < BATCH["lengths"][:, None]}
    padded = {"inputs": np.where(np.arange(5)[:, None] < BATCH["lengths"][:, None, None], BATCH["inputs"], np.nan)}
    short = model.apply(params, {"inputs": BATCH["inputs"][1:, :2]})
    np.testing.assert_allclose(model.apply(params, padded | real)[1:], short, rtol=1e-5, atol=1e-6)
