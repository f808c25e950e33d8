"""The longest solvable adding problem of each cell: lengths grow until fewer than half of its seeds solve it.

    python -m experiments.compare --config=configs/horizon.py

Takes 4.7 minutes on two cores of an AMD EPYC that another job shared (7.5 minutes of CPU time). Expect the GRU to reach
length 200 (5 of 5 seeds; at 400 2 of 5), the vanilla RNN 100 (3 of 5; at 200 none) and the LSTM 50 (4 of 5; at 100
none), each with about 1,690 parameters and 500 updates. With more updates every cell reaches longer sequences (in
configs/adding.py all three solve 100 after 1,400).

Every length has its own search in 3e-4 to 1e-1. GRU and LSTM chose the highest of 4 draws, 0.024, at each length. The
vanilla RNN, with relu and identity as in configs/adding.py, chose 0.0058, and at 200 the lowest rate, the only one that
didn't diverge.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the config."""
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
    config.model = ml_collections.ConfigDict({"kind": "sequence"})
    return config
