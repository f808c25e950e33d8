"""Decodes batches whose rows are divided over mesh axes of the kind Explicit."""

from collections.abc import Callable

import jax
from jax.sharding import NamedSharding, PartitionSpec

from gru_research.time_loop.sharding import divided_rows
from gru_research.types import Batch, Params

from .answers import Answers

Decode = Callable[[Params, Batch], Answers]


def decode_sharded(decode: Decode, params: Params, batch: Batch) -> Answers:
    """Calls `decode(params, batch)` and divides its answers as the rows of `batch` are divided.

    Inside it the axes are of the kind Auto: choosing rows and folding beams into rows could divide arrays in several
    ways, which is an error on axes of the kind Explicit.
    """
    rows = divided_rows([(batch, 0)], 1)
    if rows is None:
        return decode(params, batch)
    sharding = NamedSharding(rows.mesh, PartitionSpec(*rows.batch))
    return jax.sharding.auto_axes(out_sharding=sharding)(decode)(params, batch)
