"""Flax's simple cell with `residual=True`: a skip connection around the recurrent kernel (arXiv 1801.06105)."""

import dataclasses
from collections.abc import Callable, Sequence

import jax.numpy as jnp

from gru_research.cells import VanillaRNN, base
from gru_research.types import Array, Arrays, DType, Params, PRNGKey


@dataclasses.dataclass(frozen=True)
class ResidualRNN:
    """A `VanillaRNN` that adds the state to its projection: `h = activation(x W_h + b_h + h_prev U_h + h_prev)`."""

    hidden_size: int
    activation: str | Callable[[Array], Array] = "tanh"
    param_dtype: DType = jnp.float32
    dtype: DType | None = None
    carry_dtype: DType | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", self.plain.activation)

    @property
    def plain(self) -> VanillaRNN:
        """The cell without the skip connection."""
        return VanillaRNN(
            self.hidden_size,
            self.activation,
            param_dtype=self.param_dtype,
            dtype=self.dtype,
            carry_dtype=self.carry_dtype,
        )

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Array]:
        """Returns `W_h (I, H)`, `U_h (H, H)`, `b_h (H,)`."""
        return self.plain.init(key, input_size)

    def initial_carry(self, params: Params, batch: Sequence[int]) -> Array:
        """Returns `h [*batch, H]`."""
        return self.plain.initial_carry(params, batch)

    def project(self, params: Params, x: Array) -> dict[str, Array]:
        """Returns `x W_h + b_h [..., H]`."""
        return self.plain.project(params, x)

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """Returns the new state under the name h, `[..., H]`, or the state in `fixed`."""
        return self.plain.gates(params, carry, {"h": (p["h"] + carry).astype(p["h"].dtype)}, fixed)

    def combine(self, carry: Array, g: Arrays) -> tuple[Array, Array]:
        """Returns the new state as carry and as output."""
        return self.plain.combine(carry, g)

    def step(self, params: Params, carry: Array, x: Array) -> tuple[Array, Array]:
        """Runs one step. Returns `h, y [..., H]` from `h [..., H]` and `x [..., I]`."""
        return base.step(self, params, carry, x)

    def hidden(self, carry: Array) -> Array:
        """Returns h, the part of the carry that is the output."""
        return carry
