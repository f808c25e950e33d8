"""Forecasts of the hourly load and oil temperature of a transformer, ETTh1 and ETTh2, by SegRNN's form of each cell.

    python -m experiments.compare --config=configs/applications/forecasting.py[:etth2 | :quick | :full]

About 41,000 parameters each; 336 hours are read and the next 96 forecast, with an interval. Rates aren't tuned yet: one
GRU of the default form, with one seed, had a test MSE of .433 and an MAE of .425 after 600 updates of 34.6 ms, on two
cores of an AMD EPYC that other jobs shared (2026-12-01). That is behind a ridge regression, .370 and .391, and ahead of
the seasonal naive forecast, .512 and .433. Three cells and three seeds weren't run. `:quick` makes a sixth of the
updates; `:full`, for a GPU, has 256 units and 20 times the updates, and wasn't run.

The data are downloaded once, or read from a folder with the original files: `--manual_dir=DIR`.
"""

import ml_collections

VARIANTS = ("default", "etth2", "quick", "full")


def get_config(variant: str = "default") -> ml_collections.ConfigDict:
    """Returns the config of a variant."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/applications/forecasting.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    full = variant == "full"
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict(
        {"name": "forecasting", "dataset": "etth2" if variant == "etth2" else "etth1", "look_back": 336, "horizon": 96}
    )
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 256 if full else 128, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = {"quick": 300, "full": 12_000}.get(variant, 1500)
    config.batch_size = 64
    config.evaluations = 6
    config.select = "best"
    config.seeds = {"quick": 1, "full": 5}.get(variant, 3)
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 2e-3, "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "segrnn", "segment": 24, "dropout": 0.5})
    return config
