"""The multiplication problem, T=100, about 4,500 parameters each.

    python -m experiments.compare --config=configs/multiplication.py

Takes 2.1 minutes on two cores of an AMD EPYC that another job shared (3.4 minutes of CPU time). Expect test errors, as
IQM of the mean squared error, of 2.5e-4 (GRU, 5 of 5 seeds solved), 1.1e-2 (LSTM, none) and 1.1e-3 (vanilla RNN, 4 of
5); the trivial error is 4.9e-2.

The vanilla RNN has relu units and the identity as its recurrent kernel, its best form on the adding problem
(configs/adding.py); with tanh units it stays at the trivial error there. Rates are tuned in 3e-4 to 1e-1; of 4 draws
GRU and LSTM chose the highest, 0.024, the vanilla RNN 0.0019; it diverged at 0.0058 and above.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the config."""
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
    config.model = ml_collections.ConfigDict({"kind": "sequence"})
    return config
