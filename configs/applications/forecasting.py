"""Forecasts of the hourly load and oil temperature of a transformer, ETTh1 and ETTh2, by SegRNN's form of each cell.

    python -m experiments.compare --config=configs/applications/forecasting.py[:etth2 | :quick | :full]

About 130,600 parameters each; 336 hours are read and the next 96 forecast, with an interval. Took 6 min 51 s on two
cores of an AMD EPYC that other jobs shared at times (2026-12-01). Expect on ETTh1 a test MSE, as IQM of 3 seeds, of
.366 (GRU), .373 (LSTM) and .384 (vanilla RNN), and an MAE of .397, .401 and .408; a ridge regression has .370 and .391.
The rate is the same for all cells and isn't tuned. `:quick` has one seed and 300 updates; `:full`, for a GPU, has 256
units and 8 times the updates, and wasn't run. `:quick` took 45 s and gave .385, .392 and .397 on ETTh1.
`:etth2` gives an MSE of .274, .281 and .288; the ridge regression has .272.

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
