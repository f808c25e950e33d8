"""Converts NNX parameter trees between related cells, anywhere in a model's state.

A tree is a nested mapping, as from `nnx.state(model, nnx.Param)` or its `nnx.to_pure_dict`. Leaves are arrays or
Variables and stay so.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx

Tree = Mapping[Any, Any]
INPUT = ("ii", "if_", "ig", "io")
STATE = ("hi", "hf", "hg", "ho")


def fuse_lstm(tree: Tree) -> dict[Any, Any]:
    """Converts every `LSTMCell` in `tree` to an `OptimizedLSTMCell`: `ii, if_, ..., ho` to `dense_i, dense_h`."""

    def fuse(node: Tree) -> Tree:
        if not set(node) >= {*INPUT, *STATE}:
            return node
        rest = {name: value for name, value in node.items() if name not in (*INPUT, *STATE)}
        kernel = _join([node[name]["kernel"] for name in INPUT])
        state = {part: _join([node[name][part] for name in STATE]) for part in ("kernel", "bias")}
        return rest | {"dense_i": {"kernel": kernel}, "dense_h": state}

    return _rewrite(tree, fuse)


def split_lstm(tree: Tree) -> dict[Any, Any]:
    """Converts every `OptimizedLSTMCell` in `tree` to an `LSTMCell`: the inverse of `fuse_lstm`."""

    def split(node: Tree) -> Tree:
        if _gates(node) != 4:
            return node
        rest = {name: value for name, value in node.items() if name not in ("dense_i", "dense_h")}
        kernels = dict(zip(INPUT, _split(node["dense_i"]["kernel"]), strict=True))
        state = {part: _split(node["dense_h"][part]) for part in ("kernel", "bias")}
        from_input = {name: {"kernel": kernel} for name, kernel in kernels.items()}
        from_state = {name: {part: state[part][k] for part in state} for k, name in enumerate(STATE)}
        return rest | from_input | from_state

    return _rewrite(tree, split)


def with_hidden_bias(tree: Tree) -> dict[Any, Any]:
    """Adds the parameter `bias_hn`, all 0, to every `GRUCell` in `tree` that lacks it, for `hidden_bias=True`."""

    def add(node: Tree) -> Tree:
        if _gates(node) != 3 or "bias_hn" in node:
            return node
        bias = node["dense_i"]["bias"]
        return {**node, "bias_hn": _like(bias, jnp.zeros_like(jnp.split(_value(bias), 3, axis=-1)[0]))}

    return _rewrite(tree, add)


def _rewrite(tree: Tree, change: Callable[[Tree], Tree]) -> dict[Any, Any]:
    inner = {name: _rewrite(value, change) if isinstance(value, Mapping) else value for name, value in tree.items()}
    return dict(change(inner))


def _gates(node: Tree) -> int:
    """Returns the number of gates in a cell's fused kernel; 0 if `node` isn't a cell."""
    if not isinstance(node.get("dense_h"), Mapping) or not isinstance(node.get("dense_i"), Mapping):
        return 0
    rows, columns = _value(node["dense_h"]["kernel"]).shape[-2:]
    return columns // rows


def _join(leaves: Sequence[Any]) -> Any:
    return _like(leaves[0], jnp.concatenate([_value(leaf) for leaf in leaves], axis=-1))


def _split(leaf: Any) -> list[Any]:
    return [_like(leaf, part) for part in jnp.split(_value(leaf), 4, axis=-1)]


def _value(leaf: Any) -> Any:
    return leaf[...] if isinstance(leaf, nnx.Variable) else leaf


def _like(leaf: Any, value: Any) -> Any:
    return leaf.replace(value) if isinstance(leaf, nnx.Variable) else value
