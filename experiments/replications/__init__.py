"""The published tables that `python -m experiments.replicate --table=NAME` reproduces, one file each."""

from experiments.replications.adding import TABLE as ADDING
from experiments.replications.copy_memory import TABLE as COPY
from experiments.replications.formal_languages import TABLE as FORMAL_LANGUAGES
from experiments.replications.music import TABLE as MUSIC
from experiments.replications.parameter_counts import TABLE as PARAMETERS
from experiments.replications.selective_copy import TABLE as SELECTIVE_COPY
from experiments.replications.smnist import TABLE as SMNIST
from experiments.replications.table import PublishedTable
from experiments.replications.temporal_order import TABLE as TEMPORAL_ORDER

TABLES: dict[str, PublishedTable] = {
    "chung2014-parameters": PARAMETERS,
    "chung2014-music": MUSIC,
    "hochreiter1997-temporal-order": TEMPORAL_ORDER,
    "adding": ADDING,
    "copy": COPY,
    "formal-languages": FORMAL_LANGUAGES,
    "selective-copy": SELECTIVE_COPY,
    "bai2018-smnist": SMNIST,
}
"""Tables by name. To add one, write a file with a TABLE and add a line here."""
