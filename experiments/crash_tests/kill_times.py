"""The times of kills, as shares of the length of a stage or of the whole run."""

import dataclasses
import random
from collections.abc import Mapping

from . import stages
from .stages import StageTimeline

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
"""The stages after start-up and set-up weigh most together, so that runs reach their ends."""
MOST_VISITS = 2
PAST = 1.1  # a stage may take longer than in the reference


@dataclasses.dataclass(frozen=True)
class KillTime:
    """The time at `share` of a stage's typical length after its `visit`-th visit (from 1) began."""

    stage: str
    visit: int
    share: float

    def due(self, timeline: StageTimeline, seconds: Mapping[str, float]) -> bool:
        """Returns whether the time has come; `seconds` has typical lengths by stage, for `ANYWHERE` the run's."""
        began = 0.0
        if self.stage != ANYWHERE:
            visits = timeline.visits[self.stage]
            if len(visits) < self.visit:
                return False
            began = visits[self.visit - 1][0]
        return timeline.now >= began + self.share * seconds[self.stage]

    def sooner(self) -> "KillTime":
        """Returns an earlier time, for one that a whole run didn't reach: half as late with each call."""
        return dataclasses.replace(self, stage=ANYWHERE, share=self.share / 2)


def draw_kill_time(source: random.Random, reference: StageTimeline) -> KillTime:
    """Draws a time in one of the reference run's stages.

    Early parts and first visits are drawn more often: they cost less time, and a resumed run still reaches every cell.
    """
    there = [stage for stage in WEIGHTS if stage == ANYWHERE or reference.visits[stage]]
    (stage,) = source.choices(there, [WEIGHTS[stage] for stage in there])
    most = 1 if stage == ANYWHERE else min(MOST_VISITS, len(reference.visits[stage]))
    visit = min(source.randint(1, most), source.randint(1, most))
    return KillTime(stage, visit, PAST * source.random() ** 2)
