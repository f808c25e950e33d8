"""The seed axis: all seeds of a cell side by side, spread over devices, the same bits for any number of them.

On a CPU each seed runs on its own within a device (`lax.map`): small products one after the other use
the caches better than a batched one, and a seed's bits don't depend on who its neighbours are. On an
accelerator the seeds of a device are one batched program (`vmap`).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "seed"


@dataclasses.dataclass(frozen=True)
class SeedAxis:
    """Seeds over the devices of a mesh. Where they don't divide, copies of the first fill up the axis."""

    seeds: tuple[int, ...]
    mesh: Mesh

    @property
    def padded_seeds(self) -> tuple[int, ...]:
        return self.seeds + self.seeds[:1] * (-len(self.seeds) % self.mesh.size)

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

    def start(self, init: Callable[[Any, Any], Any]) -> Any:
        """`init(seed, active)` of every seed, each on its device."""
        padded = self.padded_seeds
        seeds = np.asarray(padded, np.uint32)
        active = np.arange(len(padded)) < len(self.seeds)
        return self.spread(init)(self.put(jnp.asarray(seeds)), self.put(jnp.asarray(active)))

    def gather(self, tree: Any) -> Any:
        """Arrays of all seeds on the host, without the copies."""
        return jax.tree.map(lambda a: np.asarray(a)[: len(self.seeds)], tree)


def make_seed_axis(seeds: Sequence[int]) -> SeedAxis:
    """The axis over the devices that jax has, but no more than there are seeds."""
    devices = jax.devices()[: len(seeds)]
    mesh = Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))
    return SeedAxis(tuple(seeds), mesh)
