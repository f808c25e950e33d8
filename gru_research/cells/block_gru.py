"""A GRU with block-diagonal recurrent kernels."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import jax.numpy as jnp

from gru_research.types import Array, Arrays, DType, Params, PRNGKey

from . import base
from .checks import whole
from .gru import GRU, init_gru
from .initializers import GlorotUniform, Initializer, Orthogonal, Zeros


@dataclasses.dataclass(frozen=True)
class BlockGRU:
    """`GRU` with every `U_g` block-diagonal: units in `heads` groups, which share the input and see no other's state.

    The recurrent kernels `U_g (heads, H / heads, H / heads)` hold the blocks; they have 1 / heads of a GRU's
    parameters and products. All else, the equations included, is `GRU`'s.

    Attributes:
      hidden_size: H, the number of units, a multiple of `heads`.
      heads: the number of blocks.
      reset and all that follow: as in `GRU`; `recurrent_init` draws each block on its own.
    """

    size_unit: ClassVar[str] = "heads"
    """The field of which `hidden_size` must be a multiple."""

    hidden_size: int
    heads: int = 4
    reset: str = "after"
    update_bias: float = 0.0
    chrono: int | None = None
    update: str = "gate"
    gate: str | Callable[[Array], Array] = "sigmoid"
    activation: str | Callable[[Array], Array] = "tanh"
    kernel_init: str | Initializer = GlorotUniform()
    recurrent_init: str | Initializer = Orthogonal()
    bias_init: str | Initializer = Zeros()
    learn_initial_carry: bool = False
    param_dtype: DType = jnp.float32
    dtype: DType | None = None
    carry_dtype: DType | None = None

    def __post_init__(self) -> None:
        heads = whole("heads", self.heads, 1)
        object.__setattr__(self, "heads", heads)
        gru = self.gru  # which checks the fields and brings them into their one form
        for field in dataclasses.fields(GRU):
            object.__setattr__(self, field.name, getattr(gru, field.name))
        if self.hidden_size % heads:
            raise ValueError(f"heads={heads} must divide hidden_size={self.hidden_size}")

    @property
    def gru(self) -> GRU:
        """The GRU with the same fields."""
        return GRU(**{field.name: getattr(self, field.name) for field in dataclasses.fields(GRU)})

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """As `GRU.init`, with `U_g (heads, H / heads, H / heads)`."""
        return init_gru(self.gru, key, input_size, self.heads)

    initial_carry = base.initial_h

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """`x W_g + b_g [..., H]` for each gate."""
        return self.gru.project(params, x)

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The gates r, z, n `[..., H]`; those in `fixed` have the values given there."""
        return self.gru.gates(params, carry, p, fixed)  # whose products take kernels of blocks

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """`h = z * h_prev + (1 - z) * n`, as carry and, in the gates' type, as output."""
        return self.gru.combine(carry, g)

    def kept(self, g: Arrays) -> Array | None:
        """As `GRU.kept`."""
        return self.gru.kept(g)

    step = base.step
    hidden = base.whole_carry
