"""The seed axis: all seeds of a cell side by side, sharded over devices, with the same bits on any number of them.

On a CPU each seed runs on its own within a device (`lax.map`): small products one after the other use
the caches better than a batched one, and a seed's bits don't depend on who its neighbours are. On an
accelerator the seeds of a device are one batched program (`vmap`).

The mesh has a second axis, `data`: a seed's batches may be divided over several devices, which changes sums by
rounding. Devices may belong to several processes, all of which run the same program.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import jax
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gru_research.config import UserError

SEED, DATA = "seed", "data"
OWN = PartitionSpec(SEED)
"""An argument with a leading seed axis."""
OWN_BATCHES = PartitionSpec(SEED, None, DATA)
"""Batches of each seed's own, `[S, K, B, ...]`; every device of a seed has its rows of them."""
SHARED = PartitionSpec()
"""An argument that all seeds read."""
SHARED_ROWS = PartitionSpec(DATA)
"""A batch `[B, ...]` that all seeds read; every device of a seed has its rows of it."""
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class SeedAxis:
    """Seeds over the devices of a mesh. Inactive copies of the first seed pad each device to the same number.

    Attributes:
      seeds: of the members. Those of a search are more of the same axis, where a seed may come more than once.
      scalars: numbers of each member's own, [S] by name, such as its learning rate.
      room: the least number of places on a device. More than needed makes the axis as long as another one, so that
        both share programs.
    """

    seeds: tuple[int, ...]
    mesh: Mesh
    scalars: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    room: int = 0

    def __post_init__(self) -> None:
        assert all(len(values) == len(self.seeds) for values in self.scalars.values()), self.scalars

    @property
    def length(self) -> int:
        """The length of the axis, copies included."""
        return self.mesh.shape[SEED] * max(self._share, self.room)

    @property
    def _share(self) -> int:
        """The number of members on the fullest device."""
        return -(-len(self.seeds) // self.mesh.shape[SEED])

    @property
    def places(self) -> np.ndarray:
        """Each member's place on the axis `[S]`: members come first on each device."""
        device, place = np.divmod(np.arange(len(self.seeds)), self._share)
        return device * max(self._share, self.room) + place

    @property
    def members(self) -> np.ndarray:
        """Which places of the axis hold members and no copies: booleans, as long as the axis."""
        return np.isin(np.arange(self.length), self.places)

    def fill(self, values: Sequence[T], other: T) -> list[T]:
        """One value a member, at its place of the axis, and the other one at the places of copies."""
        filled = [other] * self.length
        for place, value in zip(self.places, values, strict=True):
            filled[place] = value
        return filled

    @property
    def parts(self) -> int:
        """The number of parts into which a batch is divided."""
        return self.mesh.shape[DATA]

    @property
    def mesh_axis(self) -> str | None:
        """The mesh axis over which a batch is divided; None where it isn't."""
        return DATA if self.parts > 1 else None

    @property
    def batched(self) -> bool:
        """Whether the seeds of a device are batched by `vmap`."""
        return self.mesh.devices.flat[0].platform != "cpu"

    def put(self, tree: Any, spec: PartitionSpec = OWN) -> Any:
        """Arrays of the host on their devices; by default with a leading (padded) seed axis."""
        sharding = NamedSharding(self.mesh, spec)
        if sharding.is_fully_addressable:
            return jax.device_put(tree, sharding)
        return jax.tree.map(lambda a: _put_own_part(np.asarray(a), sharding), tree)

    def layout(self, arrays: Mapping[str, tuple[tuple[int, ...], Any]]) -> dict[str, jax.ShapeDtypeStruct]:
        """Batches `[S, K, B, ...]` of such shapes and types by name, and where they lie; nothing is allocated."""
        sharding = NamedSharding(self.mesh, OWN_BATCHES)
        return {name: jax.ShapeDtypeStruct(shape, dtype, sharding=sharding) for name, (shape, dtype) in arrays.items()}

    def put_parts(
        self, layout: Mapping[str, jax.ShapeDtypeStruct], part: Callable[[slice, slice], Mapping[str, Any]]
    ) -> dict[str, jax.Array]:
        """Batches as `layout` has them, of which each device asks for its part alone: `part(seeds, rows)`."""
        sharding = NamedSharding(self.mesh, OWN_BATCHES)
        where = sharding.addressable_devices_indices_map(next(iter(layout.values())).shape[:3])
        parts = {device: part(index[0], index[2]) for device, index in where.items() if index is not None}
        return {
            name: jax.make_array_from_single_device_arrays(
                a.shape, sharding, [jax.device_put(arrays[name], device) for device, arrays in parts.items()]
            )
            for name, a in layout.items()
        }

    def shard_over_seeds(
        self, function: Callable[..., Any], *specs: PartitionSpec, donate: tuple[int, ...] = ()
    ) -> Any:
        """`function` of one seed as a jitted function of all, whose arguments lie as `specs` say.

        Those that begin with the seed axis are a seed's own; what is returned is too.
        """
        own = [i for i, spec in enumerate(specs) if spec[:1] == (SEED,)]

        def on_device(*arguments: Any) -> Any:
            def of_one(mine: Sequence[Any]) -> Any:
                together = list(arguments)
                for i, argument in zip(own, mine, strict=True):
                    together[i] = argument
                return function(*together)

            mine = [arguments[i] for i in own]
            return jax.vmap(of_one)(mine) if self.batched else lax.map(of_one, mine)

        # Seeds never meet, so there is nothing for the check of varying axes to find, and it costs tracing time.
        on_mesh = jax.shard_map(on_device, mesh=self.mesh, in_specs=specs, out_specs=OWN, check_vma=False)
        return jax.jit(on_mesh, donate_argnums=donate)

    def start(self, init: Callable[[Any, Any, Any], Any]) -> Any:
        """`init(seed, scalars, active)` of every member, each on its device."""
        seeds = self._with_copies(np.asarray(self.seeds, np.uint32))
        scalars = {name: self._with_copies(np.asarray(values, np.float32)) for name, values in self.scalars.items()}
        return self.shard_over_seeds(init, OWN, OWN, OWN)(*(self.put(tree) for tree in (seeds, scalars, self.members)))

    def put_back(self, tree: Any) -> Any:
        """The inverse of `gather`: arrays `[S, ...]` of the host on the members' devices, copies filled up."""
        return self.put(jax.tree.map(self._with_copies, tree))

    def _with_copies(self, array: np.ndarray) -> np.ndarray:
        filled = np.repeat(array[:1], self.length, axis=0)
        filled[self.places] = array
        return filled

    def put_members(self, values: Sequence[Any]) -> Any:
        """One value a member `[S]`, on the members' devices; copies get the first one's."""
        return self.put(self._with_copies(np.asarray(values)))

    def gather(self, tree: Any) -> Any:
        """Arrays of all seeds on the host, without the copies; all processes have to ask for them."""
        if jax.process_count() > 1:
            tree = multihost_utils.process_allgather(tree, tiled=True)
        return jax.tree.map(lambda a: np.asarray(a)[self.places], tree)


def _put_own_part(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def make_seed_axis(
    seeds: Sequence[int],
    scalars: Mapping[str, float | Sequence[float]] = MappingProxyType({}),
    parts: int = 1,
    beside: int = 0,
) -> SeedAxis:
    """The axis over the devices that jax has, but over no more than there are seeds; one number goes for all of them.

    Args:
      parts: the number of devices over which each seed's batches are divided. Several processes use all devices.
      beside: the number of seeds of another axis whose programs shall fit. Axes over other devices don't; nor do those
        whose seeds are batched, where copies would cost as much as members.

    Raises:
      UserError: fewer devices than parts; of several processes, devices that the parts don't divide.
    """
    devices, many = jax.devices(), jax.process_count() > 1
    if parts > len(devices) or (many and len(devices) % parts):
        raise UserError(f"config.data_parallel={parts} must divide the number of devices: jax has {len(devices)}")
    rows = len(devices) // parts
    alike = many or min(rows, len(seeds)) == min(rows, beside)
    rows = rows if many else min(rows, len(seeds))
    mesh = Mesh(np.asarray(devices[: rows * parts]).reshape(rows, parts), (SEED, DATA), axis_types=(AxisType.Auto,) * 2)
    each = {
        name: tuple(values) if isinstance(values, Sequence) else (values,) * len(seeds)
        for name, values in scalars.items()
    }
    axis = SeedAxis(tuple(seeds), mesh, each)
    return dataclasses.replace(axis, room=-(-beside // rows)) if alike and not axis.batched else axis
