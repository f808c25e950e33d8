"""Depth: recurrent layers on top of each other."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax

from gru_research.cells import Cell
from gru_research.cells.arguments import check_inputs, check_sequence, split
from gru_research.cells.checks import number, one_of, rate, shown
from gru_research.cells.containers import in_layers, plain
from gru_research.cells.shape_checks import check_cell, check_parameters, check_tree
from gru_research.time_loop import UnrollOptions
from gru_research.time_loop.options import check_options
from gru_research.types import Array, ArrayLike, Carry, Params, PRNGKey

from .bidirectional import Bidirectional
from .checks import check_count, check_names
from .connections import CONNECTIONS, connect, init_highway
from .noise import Noise, drop_steps, evaluated, unroll_noisy

Layer: TypeAlias = Cell | Bidirectional
LayerParams: TypeAlias = Sequence[Params] | Mapping[Any, Params]
"""One tree of parameters a layer, in order or by number."""


@dataclasses.dataclass(frozen=True)
class Stack:
    """Layers, each of which reads the outputs of the one below over the whole sequence.

    The bottom layer may read an input of another size. In each of the others `connections` combines its input x and its
    output y:

        plain      y
        residual   x + y
        highway    t * y + (1 - t) * x,  with t = sigmoid(x W_t + b_t)

    Attributes:
      cells: the layers from the input upwards, cells or `Bidirectional`s; at least one. They may differ in kind
        and, with plain connections, in size.
      dropout: the rate at which inputs of every layer but the first are dropped, a new mask each step (Zaremba et
        al. 2014, arXiv 1409.2329). The x of a residual or highway connection isn't dropped.
      connections: "plain", "residual" or "highway".
      noise: the training noise inside the layers: one for all, or one a layer. A `Bidirectional` with its own noise
        keeps it.
      transform_bias: what a highway's `b_t` is initialised to; below 0 it starts out passing more of x than of y.
    """

    cells: tuple[Layer, ...]
    dropout: float = 0.0
    connections: str = "plain"
    noise: Noise | tuple[Noise, ...] = Noise()
    transform_bias: float = -1.0

    def __post_init__(self) -> None:
        cells = tuple(self.cells) if isinstance(self.cells, Sequence) else self.cells
        example = "as in Stack((GRU(8), GRU(8)))"
        if not isinstance(cells, tuple) or not cells:
            raise ValueError(f"cells={shown(self.cells)} must be one or more cells or Bidirectionals, {example}")
        for layer, cell in enumerate(cells):
            if not isinstance(cell, Bidirectional) and not hasattr(cell, "combine"):
                raise ValueError(f"cells[{layer}]={shown(cell)} must be a cell or a Bidirectional, {example}")
            if not isinstance(cell, Bidirectional):
                check_cell(cell, f"cells[{layer}]")
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "dropout", rate("dropout", self.dropout))
        one_of("connections", self.connections, CONNECTIONS)
        object.__setattr__(self, "transform_bias", number("transform_bias", self.transform_bias))
        for field, off in (("dropout", 0), ("connections", "plain")):
            if len(cells) == 1 and getattr(self, field) != off:
                raise ValueError(f"{field}={getattr(self, field)!r} acts between layers, and here is one")
        sizes = [_size(cell) for cell in cells]
        if self.connections != "plain" and len(set(sizes)) > 1:
            raise ValueError(f"connections={self.connections!r} needs layers of one size; theirs are {sizes}")
        if isinstance(self.noise, Sequence):
            object.__setattr__(self, "noise", tuple(self.noise))
        for cell, noise in zip(cells, self._noises(), strict=True):
            for inside in (cell.forward, cell.backward) if isinstance(cell, Bidirectional) else (cell,):
                noise.check(inside)

    def _noises(self) -> list[Noise]:
        """One a layer."""
        noises = self.noise if isinstance(self.noise, tuple) else (self.noise,) * len(self.cells)
        if len(noises) != len(self.cells) or not all(isinstance(noise, Noise) for noise in noises):
            raise ValueError(f"noise={self.noise!r} must be a Noise, or one for each of {len(self.cells)} layers")
        own = [cell.noise if isinstance(cell, Bidirectional) else None for cell in self.cells]
        return [noise if mine is None else mine for noise, mine in zip(noises, own, strict=True)]

    @property
    def output_size(self) -> int:
        """The number of features of the outputs."""
        return _size(self.cells[-1])

    def init(self, key: PRNGKey, input_size: int) -> list[Params]:
        """One tree of parameters a layer; with highways `{"layer": ..., "highway": {"W_t", "b_t"}}` above the first."""
        sizes = [input_size, *(_size(cell) for cell in self.cells)]
        keys = split(key, len(self.cells))
        params: list[Params] = [cell.init(k, size) for cell, k, size in zip(self.cells, keys, sizes, strict=False)]
        if self.connections == "highway":
            for layer in range(1, len(params)):
                dtype = jax.tree.leaves(params[layer])[0].dtype
                highway_key = jax.random.fold_in(keys[layer], 1)
                highway = init_highway(highway_key, sizes[layer], self.transform_bias, dtype)
                params[layer] = {"layer": params[layer], "highway": highway}
        return params

    def initial_carry(self, params: LayerParams, batch: Sequence[int]) -> tuple[Carry, ...]:
        """One carry a layer."""
        inside, _ = self._split(params)
        return tuple(cell.initial_carry(p, batch) for cell, p in zip(self.cells, inside, strict=True))

    def apply(
        self,
        params: LayerParams,
        xs: ArrayLike,
        *,
        key: PRNGKey | None = None,
        initial_carry: Sequence[Carry] | None = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        options: UnrollOptions = UnrollOptions(),
    ) -> tuple[tuple[Carry, ...], Array | None]:
        """`xs [..., T, I]` to one final carry a layer and the outputs above the top layer `[..., T, H]`.

        The arguments are as in `unroll`; `options.outputs` is the top layer's. `key` draws the noise of
        training; None is evaluation, where nothing is random.
        """
        if initial_carry is not None:
            check_count("initial_carry", initial_carry, len(self.cells), *self._counted("carries"))
        bottom = self.cells[0]
        check_options(options)
        xs = check_sequence(xs, bottom.forward if isinstance(bottom, Bidirectional) else bottom)
        noises = self._noises()
        dropout_keys, noise_keys = self._keys(key)
        streams: dict[str, Any] = {"lengths": lengths, "mask": mask, "resets": resets}
        inside, highways = self._split(params)
        self._check_layers(inside, xs.shape, "xs")
        carries: list[Carry] = []
        below: Any = xs
        for layer, (cell, noise) in enumerate(zip(self.cells, noises, strict=True)):
            read, dropout_key = below, dropout_keys[layer]
            if layer and self.dropout and dropout_key is not None:
                read = drop_steps(dropout_key, self.dropout, below, options)
            top = layer == len(self.cells) - 1
            arguments = streams | {
                "key": noise_keys[layer],
                "initial_carry": None if initial_carry is None else initial_carry[layer],
                "options": options if top else dataclasses.replace(options, outputs="all"),
            }
            if isinstance(cell, Bidirectional):
                carry, ys = dataclasses.replace(cell, noise=noise).apply(inside[layer], read, **arguments)
            else:
                carry, ys = unroll_noisy(cell, noise, inside[layer], read, **arguments)
            carries.append(carry)
            below = connect(self.connections, highways[layer], below, ys) if layer and ys is not None else ys
        return tuple(carries), below

    def step(self, params: LayerParams, carry: Sequence[Carry], x: Array) -> tuple[tuple[Carry, ...], Array]:
        """One step of every layer at evaluation: the new carries and the output above the top layer `[..., H]`.

        Raises ValueError where a layer is a `Bidirectional`.
        """
        check_count("carry", carry, len(self.cells), *self._counted("carries"))
        inside, highways = self._split(params)
        x = check_inputs("x", x)
        self._check_layers(inside, x.shape, "x")
        carries: list[Carry] = []
        for layer, (cell, noise) in enumerate(zip(self.cells, self._noises(), strict=True)):
            if isinstance(cell, Bidirectional):
                raise ValueError(f"this stack has no step: cells[{layer}] starts at the end of a sequence too: {cell}")
            new, y = evaluated(cell, noise, inside[layer]).step(inside[layer], carry[layer], x)
            carries.append(new)
            x = connect(self.connections, highways[layer], x, y) if layer else y
        return tuple(carries), x

    def hidden(self, carry: Sequence[Carry]) -> Array:
        """The top layer's h after its last step `[..., H]`, for a `Bidirectional` merged over directions. What a
        connection adds isn't part of it."""
        return self.cells[-1].hidden(carry[-1])

    def _keys(self, key: PRNGKey | None) -> tuple[list[PRNGKey | None], list[PRNGKey | None]]:
        """For each layer the keys of the dropout before it and of the noise in it; None where nothing is drawn."""
        if key is None or not (self.dropout or any(noise.draws for noise in self._noises())):
            return [None] * len(self.cells), [None] * len(self.cells)
        keys = split(key, (2, len(self.cells)))
        return list(keys[0]), list(keys[1])

    def _split(self, params: LayerParams) -> tuple[list[Params], list[Params | None]]:
        """The layers' own parameters, and their highways'."""
        layers = in_layers(params) if isinstance(params, Mapping) else params
        check_count("params", layers, len(self.cells), *self._counted("layers"))
        layers = plain(layers)
        if self.connections != "highway":
            return list(layers), [None] * len(self.cells)
        for layer in range(1, len(layers)):
            path, size = f"params[{layer}]", _size(self.cells[layer])
            check_names(path, layers[layer], ("layer", "highway"), "a layer with a highway")
            check_tree(f"{path}['highway']", {"W_t": (size, size), "b_t": (size,)}, layers[layer]["highway"])
        inside = [layers[0], *(p["layer"] for p in layers[1:])]
        return inside, [None, *(p["highway"] for p in layers[1:])]

    def _counted(self, what: str) -> tuple[str, str]:
        """The message for a wrong number of `what`."""
        return f"the stack has {len(self.cells)} layers", what

    def _check_layers(self, inside: Sequence[Params], shape: Sequence[int], field: str) -> None:
        """Raises ValueError or TypeError where the layers' own parameters aren't theirs for inputs of `shape`."""
        for layer, (cell, params) in enumerate(zip(self.cells, inside, strict=True)):
            path = f"params[{layer}]" + ("['layer']" if layer and self.connections == "highway" else "")
            below = field if not layer else f"the output of cells[{layer - 1}]"
            if isinstance(cell, Bidirectional):
                cell.check(params, shape, path, below)
            else:
                check_parameters(cell, params, shape, path, below)
            shape = (*shape[:-1], _size(cell))


def _size(layer: Layer) -> int:
    return layer.output_size if isinstance(layer, Bidirectional) else layer.hidden_size
