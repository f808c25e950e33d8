"""Flax's simple cell with `residual=True`: a skip connection around the recurrent kernel (arXiv 1801.06105)."""

from gru_research.cells import VanillaRNN, base
from gru_research.types import Array, Arrays, Params


class ResidualRNN(VanillaRNN):
    """A `VanillaRNN` that adds the state to its projection: `h = activation(x W_h + b_h + h_prev U_h + h_prev)`."""

    def gates(self, params: Params, carry: Array, p: Arrays, fixed: Arrays = base.NOTHING_FIXED) -> dict[str, Array]:
        """The new state under the name h, `[..., H]`, or the one in `fixed`."""
        return super().gates(params, carry, {"h": (p["h"] + carry).astype(p["h"].dtype)}, fixed)
