"""Statistics over seeds and tasks: plain functions of arrays, deterministic, NumPy only.

All functions share two conventions. First, a seed with a non-finite value is kept and ranks worst (`rank_worst`);
dropping it would reward cells that diverge. Infinite values are therefore allowed, and NaN is an error. Second, a
metric has a `direction`: "min" if lower is better, "max" if higher is. Functions that compare cells take scores, for
which higher is better (`as_scores`, `normalized`).
"""

from gru_research.stats.bootstrap import Estimate
from gru_research.stats.corpus_bleu import PairedBleu, corpus_bleu, paired_bleu
from gru_research.stats.difference import paired_difference
from gru_research.stats.improvement import probability_of_improvement
from gru_research.stats.interquartile import MEASURED_COVERAGE, aggregate_iqm, interval_coverage, iqm, iqm_interval
from gru_research.stats.log_rank import log_rank_test
from gru_research.stats.median import median_interval
from gru_research.stats.multiple_tests import Verdict, holm, seeds_needed_for_level, verdicts
from gru_research.stats.normalized_scores import normalized
from gru_research.stats.permutation import PermutationTest, paired_permutation_test
from gru_research.stats.power import expected_power, seeds_needed
from gru_research.stats.profiles import Profile, performance_profile
from gru_research.stats.seed_values import Direction, as_scores, rank_worst
from gru_research.stats.solving import median_with_infinite, solved_at
from gru_research.stats.survival import SurvivalCurve, median_time_to_solve, restricted_mean, survival_curve

__all__ = [
    "MEASURED_COVERAGE",
    "Direction",
    "Estimate",
    "PairedBleu",
    "PermutationTest",
    "Profile",
    "SurvivalCurve",
    "Verdict",
    "aggregate_iqm",
    "as_scores",
    "corpus_bleu",
    "expected_power",
    "holm",
    "interval_coverage",
    "iqm",
    "iqm_interval",
    "log_rank_test",
    "median_interval",
    "median_time_to_solve",
    "median_with_infinite",
    "normalized",
    "paired_bleu",
    "paired_difference",
    "paired_permutation_test",
    "performance_profile",
    "probability_of_improvement",
    "rank_worst",
    "restricted_mean",
    "seeds_needed",
    "seeds_needed_for_level",
    "solved_at",
    "survival_curve",
    "verdicts",
]
