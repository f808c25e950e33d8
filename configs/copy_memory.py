"""Copy memory: recall of 5 symbols of 8 kinds after a delay of 20 steps; about 9,400 parameters each.

    python -m experiments.compare --config=configs/copy_memory.py

Takes 2.7 minutes on two cores of an AMD EPYC that another job shared (3.7 minutes of CPU time). Expect test errors, as
IQM of the cross-entropy of a step in nats, of .027 (chrono, 4 of 5 seeds solved), .051 (GRU, 2 of 5), .285 (LSTM, none)
and .333 (vanilla RNN, none); the trivial error is .347. `chrono` is the GRU with update gates initialised for
spans of up to 25 steps (Tallec and Ollivier 2018).

Rates are tuned in 1e-3 to 1e-1; of 4 draws chrono, GRU and LSTM chose the highest, 0.032, the vanilla RNN 0.0043.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the config."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "copy_memory", "length": 20, "symbols": 5})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 49, "reset": "after"})
    config.cells.chrono = ml_collections.ConfigDict({"kind": "gru", "reset": "after", "chrono": 25})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1200
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
