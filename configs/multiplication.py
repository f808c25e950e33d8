"""The multiplication problem, T=100.

    python -m experiments.compare --config=configs/multiplication.py

The vanilla RNN has relu units and the identity as its recurrent kernel, its best form on the adding problem
(configs/adding.py); with tanh units it stays at the trivial error there.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """The config."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "multiplication", "length": 100})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 37, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "relu", "recurrent_init": "identity"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 800
    config.batch_size = 50
    config.evaluations = 15
    config.seeds = 5
    config.first_seed = 0
    config.tune = ml_collections.ConfigDict({"draws": 4, "learning_rate": (3e-4, 1e-1), "seeds": 1})
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"layers": 1, "readout": "task"})
    return config
