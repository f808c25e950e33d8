"""A TPE search on the adding problem: 30 trials of the GRU's rate, clipping and warm-up, with median pruning.

python -m experiments.sweep --config=configs/adding.py:relu,only=gru,seeds=2 --sweep=configs/sweeps/adding_tpe.py
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the sweep: ranges that include low and high."""
    sweep = ml_collections.ConfigDict()
    sweep.search = "tpe"
    sweep.trials = 30
    sweep.startup = 8
    sweep.fields = ml_collections.ConfigDict()
    sweep.fields.optimizer = ml_collections.ConfigDict()
    sweep.fields.optimizer.learning_rate = ml_collections.ConfigDict({"low": 1e-4, "high": 1e-1, "log": True})
    sweep.fields.optimizer.clip = ml_collections.ConfigDict({"low": 0.1, "high": 10.0, "log": True})
    sweep.fields.optimizer.warmup = ml_collections.ConfigDict({"low": 0, "high": 300})
    sweep.objective = ml_collections.ConfigDict({"cell": "gru"})
    sweep.pruning = ml_collections.ConfigDict({"kind": "median", "warmup": 400, "startup": 8})
    sweep.retries = 1
    sweep.limits = ml_collections.ConfigDict({"minutes": 30.0, "memory_gb": 4.0})
    # The options of --engine=slurm, with your cluster's names, e.g. {"partition": "cpu", "account": "lab"}.
    sweep.slurm = ml_collections.ConfigDict({"minutes": 240})
    return sweep
