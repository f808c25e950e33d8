"""The claims of the tutorial, a file each: what is run, by which rule it holds, and how that is shown."""

from collections.abc import Callable

from experiments.claiming.ablations import Ablations
from experiments.claiming.gates import Gates
from experiments.claiming.gradients import Gradients
from experiments.claiming.memory import Memory
from experiments.claiming.overfitting import Overfitting
from experiments.claiming.setting import Claim
from experiments.claiming.size import Size
from experiments.claiming.speed import Speed

CLAIMS: dict[str, Callable[..., Claim]] = {
    "gradients": Gradients,
    "memory": Memory,
    "size": Size,
    "speed": Speed,
    "overfitting": Overfitting,
    "gates": Gates,
    "ablations": Ablations,
}
"""What a config may name."""
