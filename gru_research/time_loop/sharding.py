"""Explicit sharding: arrays whose type says which axes are divided over which axes of a mesh.

`jax.make_mesh` gives such types by default. An operation whose result could be divided in several ways is then an
error, as are a scan that changes how its carry is divided, and a sum over rows in a gradient. Rows don't depend on each
other. So each device runs the time loop on its own rows, in `jax.shard_map`, with the program of one device. The
gradients of parameters are summed once, at the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import NamedSharding, PartitionSpec

from gru_research.types import Array


class Rows(NamedTuple):
    """How the batch axes are divided: for each its mesh axes, which are a name, several, or None."""

    mesh: Any
    batch: tuple[Any, ...]

    def place(self, tree: Any, before: int = 0) -> Any:
        """Divides the axes after the first `before` as the batch axes; all others are whole."""
        sharding = NamedSharding(self.mesh, self._spec(before))
        return jax.tree.map(lambda a: jax.sharding.reshard(a, sharding), tree)

    def whole(self, tree: Any) -> Any:
        """Replicates every array on every device."""
        sharding = NamedSharding(self.mesh, PartitionSpec())
        return jax.tree.map(lambda a: jax.sharding.reshard(a, sharding), tree)

    def map(self, function: Callable[..., Any], axes_before: Any, results_before: Any) -> Callable[..., Any]:
        """Maps `function` over devices, each with its own rows.

        `axes_before` and `results_before` give for each argument and result the number of axes before the batch axes.
        None is for one without batch axes, which is the same on all devices. Each holds for a whole tree.
        """
        names = {name for axes in self.batch if axes is not None for name in _names(axes)}
        if not names:
            return function
        specs = jax.tree.map(self._spec, (axes_before, results_before), is_leaf=lambda n: n is None)
        return jax.shard_map(function, mesh=self.mesh, in_specs=specs[0], out_specs=specs[1], axis_names=names)

    def _spec(self, before: int | None) -> PartitionSpec:
        return PartitionSpec() if before is None else PartitionSpec(*(None,) * before, *self.batch)


def divided_rows(arrays: Sequence[tuple[Any, int]], batch: int, others: Any = ()) -> Rows | None:
    """Returns how the types of `arrays` divide rows: the first that is divided decides.

    `arrays` are pairs of a tree and the number of axes before its `batch` batch axes. None where no type, `others`
    included, is divided: on one device, inside `shard_map`, on axes of the kind Auto, and for whole arrays.
    """
    mesh: Any = None
    axes: tuple[Any, ...] = ()
    for tree, before in (*arrays, (others, None)):
        for a in jax.tree.leaves(tree):
            sharding: Any = jax.typeof(a).sharding if isinstance(a, Array) else None
            if sharding is None or all(entry is None for entry in sharding.spec):
                continue
            mesh = mesh or sharding.mesh
            if not axes and before is not None and any(sharding.spec[before : before + batch]):
                axes = tuple(sharding.spec[before : before + batch])
    return None if mesh is None else Rows(mesh, axes or (None,) * batch)


def alike(arrays: Sequence[Array], like: Array) -> list[Array]:
    """Divides all axes of `arrays` but the last as those of `like`, whose leading shape they share."""
    leading = like.ndim - 1
    rows = divided_rows([(like, 0)], leading)
    return list(arrays) if rows is None else [rows.place(a) for a in arrays]


def _names(axes: Any) -> tuple[str, ...]:
    return (axes,) if isinstance(axes, str) else tuple(axes)
