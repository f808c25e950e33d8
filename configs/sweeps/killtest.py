"""Three short trials for the interruptions of `experiments.killtest --engine=slurm`.

python -m experiments.killtest --engine=slurm
python -m experiments.sweep --config=configs/killtest.py:sweep --sweep=configs/sweeps/killtest.py
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the sweep: three learning rates."""
    sweep = ml_collections.ConfigDict()
    sweep.fields = ml_collections.ConfigDict()
    sweep.fields.optimizer = ml_collections.ConfigDict({"learning_rate": (1e-3, 3e-3, 1e-2)})
    sweep.retries = 100
    sweep.dead_after = 10.0
    sweep.slurm = ml_collections.ConfigDict({"minutes": 60})
    return sweep
