"""How far each cell remembers: the adding problem at growing lengths, until fewer than half of the seeds solve it.

python -m experiments.compare --config=configs/horizon.py
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """The config."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "adding", "length": 25, "test_size": 2000})
    config.horizon = ml_collections.ConfigDict(
        {"field": "task.length", "values": (25, 50, 100, 200, 400, 800), "solved": 0.5}
    )
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 22, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "relu", "recurrent_init": "identity"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 500
    config.batch_size = 32
    config.evaluations = 10
    config.seeds = 5
    config.first_seed = 0
    config.tune = ml_collections.ConfigDict({"draws": 4, "learning_rate": (3e-4, 1e-1), "seeds": 1})
    config.optimizer = ml_collections.ConfigDict({"name": "adam", "schedule": "cosine", "clip": 1.0})
    config.model = ml_collections.ConfigDict({"layers": 1, "readout": "task"})
    return config
