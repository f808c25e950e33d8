"""Anomalies in the 58 series of the Numenta Anomaly Benchmark (NAB), by a streaming forecaster of each cell.

    python -m experiments.compare --config=configs/applications/anomalies.py[:quick | :full]

About 13,600 parameters each. Took 2 min 46 s on two cores of a Xeon (2026-12-01). Expect, as IQM of 10 seeds, a NAB
score of 53.4 (GRU), 52.4 (LSTM) and 52.3 (vanilla RNN); repeating the last value has 51.75. The rate is the same for
all cells and isn't tuned. `:quick` has one seed and 200 updates, and took 29 s; `:full`, for a GPU, has 256 units, 20
seeds and 2,000 updates, and wasn't run.

The data are downloaded once, or read from a folder with all original files: `--manual_dir=DIR`.
"""

import ml_collections

VARIANTS = ("default", "quick", "full")


def get_config(variant: str = "default") -> ml_collections.ConfigDict:
    """Returns the config of a variant."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/applications/anomalies.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "anomalies", "dataset": "nab"})
    config.cells = ml_collections.ConfigDict()
    size = 256 if variant == "full" else 64
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": size, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = {"quick": 200, "full": 2000}.get(variant, 600)
    config.batch_size = 64
    config.evaluations = 20
    config.select = "best"
    config.seeds = {"quick": 1, "full": 20}.get(variant, 10)
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 2e-3, "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "sequence"})
    return config
