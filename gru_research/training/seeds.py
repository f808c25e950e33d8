"""The seed axis: all seeds of a cell side by side, sharded over devices, with the same bits on any number of devices.

On a CPU the seeds of a device run one after the other (`lax.map`): small products use the caches better than a batched
one, and a seed's bits don't depend on the other seeds. On an accelerator the seeds of a device are one batched program
(`vmap`).

The mesh has a second axis, `data`: a seed's batches may be divided over several devices, which changes the rounding of
sums. Devices may belong to several processes, all of which run the same program.
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
MEMBER = "member"
"""The axis over which the seeds of a device are batched."""
OWN = PartitionSpec(SEED)
"""The spec of an argument with a leading seed axis."""
OWN_BATCHES = PartitionSpec(SEED, None, DATA)
"""The spec of each seed's own batches `[S, K, B, ...]`; every device of a seed holds part of the rows."""
SHARED = PartitionSpec()
"""The spec of an argument that all seeds read."""
SHARED_ROWS = PartitionSpec(DATA)
"""The spec of a batch `[B, ...]` that all seeds read; every device of a seed holds part of the rows."""
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class SeedAxis:
    """Seeds over the devices of a mesh. Inactive copies of the first seed pad each device to the same number.

    Attributes:
      seeds: the members' seeds. In a search a seed may occur in several members.
      scalars: each member's own numbers, [S] by name, such as its learning rate.
      room: the least number of places on a device. A larger number makes the axis as long as another one, so that
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
        """The number of members on the busiest device."""
        return -(-len(self.seeds) // self.mesh.shape[SEED])

    @property
    def places(self) -> np.ndarray:
        """Each member's place on the axis `[S]`: members come first on each device."""
        device, place = np.divmod(np.arange(len(self.seeds)), self._share)
        return device * max(self._share, self.room) + place

    @property
    def members(self) -> np.ndarray:
        """Booleans along the axis: True where a place holds a member, False for a copy."""
        return np.isin(np.arange(self.length), self.places)

    def fill(self, values: Sequence[T], other: T) -> list[T]:
        """Returns a list along the axis: each member's value at its place, and `other` at the places of copies."""
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
    def shared_axes(self) -> tuple[str, ...]:
        """The axes along which all take the same branches of a program: parts of a batch, and batched seeds."""
        return ((DATA,) if self.parts > 1 else ()) + ((MEMBER,) if self.batched else ())

    @property
    def batched(self) -> bool:
        """Whether the seeds of a device are batched by `vmap`."""
        return self.mesh.devices.flat[0].platform != "cpu"

    def put(self, tree: Any, spec: PartitionSpec = OWN) -> Any:
        """Puts host arrays on their devices; by default they have a leading (padded) seed axis."""
        sharding = NamedSharding(self.mesh, spec)
        if sharding.is_fully_addressable:
            return jax.device_put(tree, sharding)
        return jax.tree.map(lambda a: _put_own_part(np.asarray(a), sharding), tree)

    def layout(self, arrays: Mapping[str, tuple[tuple[int, ...], Any]]) -> dict[str, jax.ShapeDtypeStruct]:
        """Returns batches `[S, K, B, ...]` as shapes, types and shardings by name; allocates nothing."""
        sharding = NamedSharding(self.mesh, OWN_BATCHES)
        return {name: jax.ShapeDtypeStruct(shape, dtype, sharding=sharding) for name, (shape, dtype) in arrays.items()}

    def put_parts(
        self, layout: Mapping[str, jax.ShapeDtypeStruct], part: Callable[[slice, slice], Mapping[str, Any]]
    ) -> dict[str, jax.Array]:
        """Puts batches of `layout` on the devices. `part(seeds, rows)` is called for each device's part only."""
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
        """Converts `function` of one seed to a jitted function of all seeds, with arguments sharded by `specs`.

        Arguments whose spec begins with the seed axis differ between seeds, as do the results; others are shared.
        """
        own = [i for i, spec in enumerate(specs) if spec[:1] == (SEED,)]

        def on_device(*arguments: Any) -> Any:
            def of_one(mine: Sequence[Any]) -> Any:
                together = list(arguments)
                for i, argument in zip(own, mine, strict=True):
                    together[i] = argument
                return function(*together)

            mine = [arguments[i] for i in own]
            return jax.vmap(of_one, axis_name=MEMBER)(mine) if self.batched else lax.map(of_one, mine)

        # Seeds never interact, so the check of varying axes can find nothing, and it costs tracing time.
        on_mesh = jax.shard_map(on_device, mesh=self.mesh, in_specs=specs, out_specs=OWN, check_vma=False)
        return jax.jit(on_mesh, donate_argnums=donate)

    def start(self, init: Callable[[Any, Any, Any], Any]) -> Any:
        """Returns `init(seed, scalars, active)` of every member, each on its device."""
        seeds = self._with_copies(np.asarray(self.seeds, np.uint32))
        scalars = {name: self._with_copies(np.asarray(values, np.float32)) for name, values in self.scalars.items()}
        return self.shard_over_seeds(init, OWN, OWN, OWN)(*(self.put(tree) for tree in (seeds, scalars, self.members)))

    def put_back(self, tree: Any) -> Any:
        """Inverts `gather`: puts host arrays `[S, ...]` on the members' devices and fills the copies."""
        return self.put(jax.tree.map(self._with_copies, tree))

    def _with_copies(self, array: np.ndarray) -> np.ndarray:
        filled = np.repeat(array[:1], self.length, axis=0)
        filled[self.places] = array
        return filled

    def put_members(self, values: Sequence[Any]) -> Any:
        """Puts one value per member `[S]` on the members' devices; copies get the first member's value."""
        return self.put(self._with_copies(np.asarray(values)))

    def gather(self, tree: Any) -> Any:
        """Returns arrays of all seeds on the host, without copies. All processes must call this."""
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
    """Returns an axis over jax's devices, at most as many as there are seeds. A single scalar applies to all seeds.

    Args:
      parts: the number of devices over which each seed's batches are divided. Several processes use all devices.
      beside: the number of seeds of another axis whose programs should be shared. Axes over different devices share
        none, nor do axes with batched seeds, where copies would cost as much as members.

    Raises:
      UserError: there are fewer devices than `parts`, or with several processes `parts` doesn't divide the devices.
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
