"""SCAN: from commands such as "walk twice and jump left" to actions, by an encoder-decoder of each cell.

python -m experiments.compare --config=configs/scan.py[:simple | :length | :jump]
"""

import ml_collections


def get_config(split: str = "simple") -> ml_collections.ConfigDict:
    """The config of a split: "simple", "length" or "jump"."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "scan", "split": split or "simple"})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 64, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1500
    config.batch_size = 64
    config.evaluations = 6
    config.select = "last"
    config.seeds = 3
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 5e-3, "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict(
        {
            "kind": "encoder_decoder",
            "layers": 1,
            "bidirectional": True,
            "attention": "luong",
            "embedding_size": 32,
            "tied": False,
            "dropout": 0.0,
        }
    )
    return config
