"""The seed axis: all seeds of a cell side by side, spread over devices, the same bits for any number of them.

On a CPU each seed runs on its own within a device (`lax.map`): small products one after the other use
the caches better than a batched one, and a seed's bits don't depend on who its neighbours are. On an
accelerator the seeds of a device are one batched program (`vmap`).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "seed"
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class SeedAxis:
    """Seeds over the devices of a mesh. Where they don't divide, copies of the first fill up the axis.

    `scalars` are numbers of each member's own, [S] by name, such as its learning rate: the members of a search are
    more of the same axis, where a seed may come more than once.
    """

    seeds: tuple[int, ...]
    mesh: Mesh
    scalars: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        assert all(len(values) == len(self.seeds) for values in self.scalars.values()), self.scalars

    @property
    def padded_seeds(self) -> tuple[int, ...]:
        return self._padded(self.seeds)

    def _padded(self, values: tuple[T, ...]) -> tuple[T, ...]:
        return values + values[:1] * (-len(values) % self.mesh.size)

    @property
    def batched(self) -> bool:
        """Whether the seeds of a device are batched into one program."""
        return self.mesh.devices.flat[0].platform != "cpu"

    def put(self, tree: Any) -> Any:
        """Arrays with a leading (padded) seed axis, each part on its device."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec(AXIS)))

    def put_shared(self, tree: Any) -> Any:
        """Arrays that all seeds read, on every device."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec()))

    def spread(self, function: Callable[..., Any], *, shared: int = 0, donate: tuple[int, ...] = ()) -> Any:
        """`function` of one seed as a jitted function of all; the last `shared` arguments have no seed axis."""

        def on_device(*arguments: Any) -> Any:
            own = arguments[: len(arguments) - shared]
            common = arguments[len(arguments) - shared :]
            if self.batched:
                return jax.vmap(lambda *mine: function(*mine, *common))(*own)
            return lax.map(lambda mine: function(*mine, *common), own)

        def on_mesh(*arguments: Any) -> Any:
            own = len(arguments) - shared
            specs = (PartitionSpec(AXIS),) * own + (PartitionSpec(),) * shared
            # Seeds never meet, so there is nothing for the check of varying axes to find, and it costs tracing time.
            return jax.shard_map(
                on_device, mesh=self.mesh, in_specs=specs, out_specs=PartitionSpec(AXIS), check_vma=False
            )(*arguments)

        return jax.jit(on_mesh, donate_argnums=donate)

    def start(self, init: Callable[[Any, Any, Any], Any]) -> Any:
        """`init(seed, scalars, active)` of every member, each on its device."""
        padded = self.padded_seeds
        seeds = np.asarray(padded, np.uint32)
        scalars = {name: np.asarray(self._padded(values), np.float32) for name, values in self.scalars.items()}
        active = np.arange(len(padded)) < len(self.seeds)
        return self.spread(init)(*(self.put(jax.tree.map(jnp.asarray, tree)) for tree in (seeds, scalars, active)))

    def put_back(self, tree: Any) -> Any:
        """The inverse of `gather`: arrays `[S, ...]` of the host on the members' devices, copies filled up."""
        return self.put(jax.tree.map(self._with_copies, tree))

    def _with_copies(self, array: np.ndarray) -> np.ndarray:
        missing = len(self.padded_seeds) - len(self.seeds)
        return np.concatenate([array, np.repeat(array[:1], missing, axis=0)]) if missing else array

    def put_members(self, values: Sequence[Any]) -> Any:
        """One value a member `[S]`, on the members' devices; copies get the first one's."""
        return self.put(jnp.asarray(np.asarray(self._padded(tuple(values)))))

    def gather(self, tree: Any) -> Any:
        """Arrays of all seeds on the host, without the copies."""
        return jax.tree.map(lambda a: np.asarray(a)[: len(self.seeds)], tree)


def make_seed_axis(
    seeds: Sequence[int], scalars: Mapping[str, float | Sequence[float]] = MappingProxyType({})
) -> SeedAxis:
    """The axis over the devices that jax has, but no more than there are seeds; one number goes for all of them."""
    devices = jax.devices()[: len(seeds)]
    mesh = Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))
    each = {
        name: tuple(values) if isinstance(values, Sequence) else (values,) * len(seeds)
        for name, values in scalars.items()
    }
    return SeedAxis(tuple(seeds), mesh, each)
