"""Cycle navigation: a walk on 5 places, trained to length 20, tested on 21 to 100; about 4,500 parameters each.

    python -m experiments.compare --config=configs/cycle_navigation.py

Takes 1.4 minutes on two cores of an AMD EPYC that another job shared (2.1 minutes of CPU time). Expect test accuracies,
as IQM, of .84 (GRU; seeds from .47 to 1.00), .72 (LSTM; .58 to 1.00) and .21 (vanilla RNN with tanh; chance is .2); 3,
3 and none of 5 seeds solved the training lengths.

Rates are tuned in 1e-3 to 1e-1; of 4 draws the GRU chose the highest, 0.032, LSTM 0.010, the vanilla RNN 0.0043.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the config."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "cycle_navigation", "length": 20, "test_length": 100})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 36, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1500
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
