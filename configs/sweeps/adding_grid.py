"""A grid on the adding problem: three learning rates of the GRU by two gradient clipping thresholds.

python -m experiments.sweep --config=configs/adding.py:relu,only=gru,seeds=2 --sweep=configs/sweeps/adding_grid.py
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the sweep: every combination of the values."""
    sweep = ml_collections.ConfigDict()
    sweep.search = "grid"
    sweep.fields = ml_collections.ConfigDict()
    sweep.fields.optimizer = ml_collections.ConfigDict({"learning_rate": (1e-3, 3e-3, 1e-2), "clip": (0.0, 1.0)})
    sweep.objective = ml_collections.ConfigDict({"cell": "gru"})
    sweep.retries = 1
    sweep.limits = ml_collections.ConfigDict({"minutes": 30.0, "memory_gb": 4.0})
    return sweep
