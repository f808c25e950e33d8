"""When to kill: a share of the way through a stage, or through the whole run."""

import dataclasses
import random
from collections.abc import Mapping

from . import stages
from .stages import Watch

ANYWHERE = "anywhere"
WEIGHTS = {
    stages.START_UP: 2,
    stages.SET_UP: 3,
    stages.TUNING: 4,
    stages.TRAINING: 5,
    stages.CHECKPOINT: 4,
    stages.TEST: 2,
    stages.SAVING: 2,
    stages.END: 2,
    ANYWHERE: 3,
}
"""Aims at stages that a process has to reach are many times those at its start, so that runs come to their ends."""
MOST_VISITS = 2
PAST = 1.1  # a stage may take longer than it did in the reference


@dataclasses.dataclass(frozen=True)
class Moment:
    """`share` of the typical length of a stage after its n-th visit (from 1) began; where it lands is measured."""

    stage: str
    visit: int
    share: float

    def due(self, watch: Watch, seconds: Mapping[str, float]) -> bool:
        """Whether it is there; `seconds` are typical lengths by stage, and of the whole run by `ANYWHERE`."""
        began = 0.0
        if self.stage != ANYWHERE:
            visits = watch.visits[self.stage]
            if len(visits) < self.visit:
                return False
            began = visits[self.visit - 1][0]
        return watch.now >= began + self.share * seconds[self.stage]

    def easier(self) -> "Moment":
        """For one that a whole run went by without: earlier with each time, so that it comes in the end."""
        return dataclasses.replace(self, stage=ANYWHERE, share=self.share / 2)


def draw(source: random.Random, reference: Watch) -> Moment:
    """A moment in one of the stages that the reference run had; early parts and first visits, which cost less time and
    come to every cell as a run goes on from where it was killed, more often than late ones."""
    there = [stage for stage in WEIGHTS if stage == ANYWHERE or reference.visits[stage]]
    (stage,) = source.choices(there, [WEIGHTS[stage] for stage in there])
    most = 1 if stage == ANYWHERE else min(MOST_VISITS, len(reference.visits[stage]))
    visit = min(source.randint(1, most), source.randint(1, most))
    return Moment(stage, visit, PAST * source.random() ** 2)
