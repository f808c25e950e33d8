"""Parameters in any mapping give the same results as in dicts, and gradients have the caller's containers."""

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx, serialization
from flax.core import FrozenDict

import gru_research as gr
from gru_research.adapters import weights
from gru_research.analysis import gradient_flow, log_singular_values
from gru_research.cells.containers import in_layers, plain
from gru_research.layers import Embedding, Readout

I, H = 2, 3  # noqa: E741
XS: Any = np.random.default_rng(0).normal(size=(2, 5, I)).astype(np.float32)
LENGTHS = np.array([5, 3])
CELLS = {
    "gru": gr.GRU(H, learn_initial_carry=True),
    "lstm": gr.LSTM(H),
    "vanilla": gr.VanillaRNN(H),
    "min_gru": gr.MinGRU(H),
    "mgu": gr.MGU(H),
    "layer_norm_gru": gr.LayerNormGRU(H),
}
BACKENDS = {"gru": "vjp", "lstm": "vjp", "vanilla": "vjp", "min_gru": "parallel"}
CONTAINERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "FrozenDict": FrozenDict,
    "OrderedDict": lambda params: OrderedDict(reversed(list(params.items()))),
    "State of arrays": lambda params: nnx.State(dict(params)),
    "State of Params": lambda params: nnx.State({name: nnx.Param(a) for name, a in params.items()}),
    "boxes": lambda params: {name: nn.Partitioned(a, (None,) * a.ndim) for name, a in params.items()},
    "FrozenDict of NumPy": lambda params: FrozenDict(jax.tree.map(np.asarray, dict(params))),
}


def random(tree: Any) -> Any:
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape), a.dtype), tree)


def assert_same(contained: Any, expected: Any, container: Any) -> None:
    """Asserts that the gradient `contained` has the containers of `container` and the numbers of `expected`."""
    assert jax.tree.structure(contained) == jax.tree.structure(container)
    found = jax.tree.leaves_with_path(plain_tree(contained))
    wanted = jax.tree.leaves_with_path(expected)
    assert [path for path, _ in found] == [path for path, _ in wanted]
    for (_, a), (_, b) in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def plain_tree(tree: Any) -> Any:
    """Converts any containers to dicts and lists of arrays, without package code. Boxes have one leaf."""
    if isinstance(tree, Mapping):
        return {key: plain_tree(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain_tree(value) for value in tree]
    (leaf,) = jax.tree.leaves(tree)
    return leaf


@functools.cache
def cell_params(name: str) -> Any:
    return random(CELLS[name].init(jax.random.key(0), I))


def differentiated(name: str, backend: str, params: Any) -> tuple[Any, Any, Any]:
    """Returns a loss of a cell's `unroll`, its gradient, and the loss computed without a gradient."""

    def loss(p: Any) -> Any:
        options = gr.UnrollOptions(backend=backend)
        final, ys = gr.unroll(CELLS[name], p, XS, lengths=LENGTHS, options=options)
        assert ys is not None
        return (ys**2).sum() + jnp.sin(CELLS[name].hidden(final)).sum()

    return jax.jit(lambda p: (*jax.value_and_grad(loss)(p), loss(p)))(params)


@functools.cache
def of_a_dict(name: str, backend: str) -> tuple[Any, Any]:
    return differentiated(name, backend, cell_params(name))[:2]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_has_a_dicts_values_and_a_gradient_of_the_callers_kind(name: str, container: str) -> None:
    contained = CONTAINERS[container](cell_params(name))
    for backend in {BACKENDS.get(name, "autodiff"), "autodiff"}:
        value, grad = of_a_dict(name, backend)
        found, contained_grad, forward = differentiated(name, backend, contained)
        np.testing.assert_allclose(found, value, rtol=1e-6)
        np.testing.assert_allclose(forward, value, rtol=1e-6)
        assert_same(contained_grad, grad, contained)


@pytest.mark.parametrize("container", ["FrozenDict", "State of Params", "boxes"])
def test_a_step_and_the_first_carry_too(container: str) -> None:
    cell = CELLS["gru"]
    params = random(cell.init(jax.random.key(0), I))

    def loss(p: Any) -> Any:
        carry, y = cell.step(p, cell.initial_carry(p, (2,)), XS[:, 0])
        return (y**2).sum() + jnp.sin(carry).sum()

    contained = CONTAINERS[container](params)
    assert_same(jax.grad(loss)(contained), jax.grad(loss)(params), contained)


def test_a_mapping_that_is_no_pytree_serves_where_it_isnt_differentiated() -> None:
    cell = CELLS["gru"]
    params = random(cell.init(jax.random.key(0), I))
    proxy: Any = MappingProxyType(params)
    np.testing.assert_array_equal(gr.unroll(cell, proxy, XS)[1], gr.unroll(cell, params, XS)[1])

    def by_inputs(p: Any) -> Any:
        return jax.grad(lambda xs: jnp.sin(gr.unroll(cell, p, xs)[0]).sum())(XS)

    np.testing.assert_array_equal(by_inputs(proxy), by_inputs(params))


LAYERS: dict[str, Any] = {
    "stack": gr.Stack((gr.GRU(H), gr.LSTM(H), gr.MGU(H))),
    "highway": gr.Stack((gr.GRU(H), gr.GRU(H)), connections="highway", noise=gr.Noise(zoneout=0.2)),
    "bidirectional": gr.Bidirectional(gr.GRU(H), gr.LSTM(H)),
    "bidirectional stack": gr.Stack((gr.Bidirectional(gr.GRU(H), gr.GRU(H)), gr.GRU(H))),
}


def frozen(tree: Any) -> Any:
    return FrozenDict(by_number(tree)) if isinstance(tree, list) else FrozenDict(tree)


def by_number(tree: Any) -> Any:
    if isinstance(tree, list):
        return {i: by_number(part) for i, part in enumerate(tree)}
    return {key: by_number(part) for key, part in tree.items()} if isinstance(tree, dict) else tree


def read_back(tree: Any) -> Any:
    """Writes and reads a tree with Flax, without a target that describes its structure."""
    return serialization.msgpack_restore(serialization.to_bytes(tree))


OUTER: dict[str, Callable[[Any], Any]] = {
    "tuple": lambda tree: tuple(tree) if isinstance(tree, list) else OrderedDict(tree),
    "FrozenDict": frozen,
    "State": lambda tree: nnx.State(jax.tree.map(nnx.Param, by_number(tree))),
    "msgpack": read_back,
}


@functools.cache
def layer_params(name: str) -> Any:
    return random(LAYERS[name].init(jax.random.key(0), I))


def layer_differentiated(name: str, params: Any) -> tuple[Any, Any]:
    """Returns a loss of a layer's `apply` with noise, and its gradient."""

    def loss(p: Any) -> Any:
        carries, ys = LAYERS[name].apply(p, XS, lengths=LENGTHS, key=jax.random.key(3))
        return (ys**2).sum() + sum(jnp.sin(a).sum() for a in jax.tree.leaves(carries))

    return jax.jit(jax.value_and_grad(loss))(params)


@functools.cache
def of_dicts(name: str) -> tuple[Any, Any]:
    return layer_differentiated(name, layer_params(name))


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_too(name: str, outer: str) -> None:
    contained = OUTER[outer](layer_params(name))
    value, grad = of_dicts(name)
    found, contained_grad = layer_differentiated(name, contained)
    np.testing.assert_allclose(found, value, rtol=1e-6)
    assert jax.tree.structure(contained_grad) == jax.tree.structure(contained)
    inner = in_layers(contained_grad) if isinstance(layer_params(name), list) else contained_grad
    for a, b in zip(jax.tree.leaves(plain(inner)), jax.tree.leaves(grad), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


STACK = gr.Stack((gr.GRU(H), gr.GRU(H)))


def stepped_and_analysed(params: Any) -> tuple[Any, ...]:
    stepped = STACK.step(params, STACK.initial_carry(params, (2,)), XS[:, 0])
    return stepped, gradient_flow(STACK, params, XS), log_singular_values(STACK, params, XS[0])


@functools.cache
def stack_params() -> Any:
    return random(STACK.init(jax.random.key(0), I))


@functools.cache
def stepped_and_analysed_dicts() -> tuple[Any, ...]:
    return jax.jit(stepped_and_analysed)(stack_params())


@pytest.mark.parametrize("outer", OUTER)
def test_a_stacks_step_analyses_and_conversion_too(outer: str) -> None:
    params = stack_params()
    contained = OUTER[outer](params)
    found = jax.jit(stepped_and_analysed)(contained)
    jax.tree.map(np.testing.assert_array_equal, found, stepped_and_analysed_dicts())
    written, wanted = (weights.to_library("torch.GRU", STACK, p) for p in (contained, params))
    assert list(written) == list(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(written[name], array)


@pytest.mark.parametrize("container", ["FrozenDict", "State of Params", "boxes"])
def test_embeddings_and_readouts_too(container: str) -> None:
    embedding, readout = Embedding(5, H), Readout(2, "every")
    tokens = np.array([[1, 4, 0]])
    params = random({"E": embedding.init(jax.random.key(0)), "R": readout.init(jax.random.key(1), H)})
    contained = {name: CONTAINERS[container](tree) for name, tree in params.items()}

    def loss(p: Any) -> Any:
        states = embedding.apply(p["E"], tokens)
        return (readout.apply(p["R"], states[:, -1], states) ** 2).sum()

    assert_same(jax.grad(loss)(contained), jax.grad(loss)(params), contained)


def test_many_layers_read_back_are_in_the_order_of_their_numbers() -> None:
    stack = gr.Stack((gr.VanillaRNN(H),) * 11)
    params = random(stack.init(jax.random.key(0), I))
    np.testing.assert_array_equal(stack.apply(read_back(params), XS)[1], stack.apply(params, XS)[1])


@pytest.mark.parametrize("keys", [("a", "b"), (1, 2), ("0", "2"), (0, "0")])
def test_layers_with_other_keys_are_refused(keys: tuple[Any, ...]) -> None:
    stack = gr.Stack((gr.GRU(H), gr.GRU(H)))
    params = dict(zip(keys, stack.init(jax.random.key(0), I), strict=True))
    shown = ", ".join(map(repr, keys))
    with pytest.raises(ValueError, match="params of layers have the keys") as caught:
        stack.apply(params, XS)
    assert str(caught.value).startswith(f"params of layers have the keys {shown};")
