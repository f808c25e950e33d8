"""Polyphonic music, JSB Chorales: predicts the 88 keys of the next frame; about 22,800 parameters each.

    python -m experiments.compare --config=configs/music.py

Takes 3.3 minutes of CPU time; the run was paused, so its wall time is unknown. With other rates it took 1.8
minutes on two cores of an AMD EPYC that another job shared. Expect test errors, as IQM of the negative log-likelihood
of a frame in nats, of 8.76 (GRU), 8.88 (LSTM) and 8.88 (vanilla RNN with tanh), all 5 seeds solved; the
frequencies of keys have 11.06. The test uses the best parameters by validation.

Rates are tuned in 1e-3 to 1e-1; of 4 draws GRU and LSTM chose the highest, 0.032, the vanilla RNN 0.010. The range
matters: in 3e-4 to 3e-2 all three chose the highest, 0.0097, and had 9.42, 9.70 and 8.91, in another order.

The data are downloaded once, or read from a folder with the original files: `--manual_dir=DIR`.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the config."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "music", "dataset": "jsb"})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 46, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 400
    config.batch_size = 16
    config.evaluations = 15
    config.select = "best"
    config.seeds = 5
    config.first_seed = 0
    config.tune = ml_collections.ConfigDict({"draws": 4, "learning_rate": (1e-3, 1e-1), "seeds": 1})
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "sequence"})
    return config
