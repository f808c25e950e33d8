"""The claims of the tutorial. A file holds one claim: its experiment, its verdict rule, its tables and figures."""

from collections.abc import Callable

from experiments.claims.ablations import Ablations
from experiments.claims.context import Claim
from experiments.claims.gates import Gates
from experiments.claims.gradients import Gradients
from experiments.claims.memory import Memory
from experiments.claims.overfitting import Overfitting
from experiments.claims.size import Size
from experiments.claims.speed import Speed

CLAIMS: dict[str, Callable[..., Claim]] = {
    "gradients": Gradients,
    "memory": Memory,
    "size": Size,
    "speed": Speed,
    "overfitting": Overfitting,
    "gates": Gates,
    "ablations": Ablations,
}
"""The claims that a config may name."""
