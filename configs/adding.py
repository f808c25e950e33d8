"""GRU against LSTM against vanilla RNN on the adding problem, T=100, about 4,500 parameters each, 5 seeds.

python -m experiments.compare --config=configs/adding.py
"""

import ml_collections


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config; there are no variants."""
    if variant:
        raise ValueError(f"configs/adding.py has no variant {variant!r}; give none")
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "adding", "length": 100})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 37, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh", "learning_rate": 1e-3})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 2000
    config.batch_size = 50
    config.eval_every = 100
    config.seeds = 5
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 1e-2, "schedule": "cosine", "warmup": 0, "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"layers": 1, "readout": "task"})
    return config
