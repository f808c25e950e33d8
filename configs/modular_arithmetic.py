"""Arithmetic modulo 5 without brackets: trained to length 11, tested on 13 to 51; about 14,400 parameters each.

    python -m experiments.compare --config=configs/modular_arithmetic.py

Takes 2.2 minutes on two cores of an AMD EPYC that another job shared (2.5 minutes of CPU time). Expect test accuracies,
as IQM, of .37 (GRU), .55 (LSTM) and .21 (vanilla RNN with tanh; chance is .2). No seed solved the training lengths
either; GRU and LSTM have .88 to .97 there. 2,000 updates are too few.

Rates are tuned in 1e-3 to 1e-1; of 4 draws GRU and LSTM chose 0.010, the vanilla RNN the lowest, 0.0021.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the config."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "modular_arithmetic", "length": 11, "test_length": 51})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 64, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 2000
    config.batch_size = 32
    config.evaluations = 15
    config.seeds = 5
    config.first_seed = 0
    config.tune = ml_collections.ConfigDict({"draws": 4, "learning_rate": (1e-3, 1e-1), "seeds": 1})
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "sequence", "embedding_size": 0})
    return config
