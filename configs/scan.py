"""SCAN: from commands such as "walk twice and jump left" to actions, by an encoder-decoder of each cell.

    python -m experiments.compare --config=configs/scan.py[:simple | :length | :jump]

About 86,000 parameters each: one bidirectional layer, Luong attention, 3 seeds. On two cores of an AMD EPYC with
AVX-512 (2026-11-30, shared with other jobs) "simple" took 9 min 12 s, "length" 3 min 37 s, "jump" 5 min 27 s. Expect
test exact matches, as IQM, of:

    split     GRU       LSTM      vanilla RNN
    simple    99.5 %    99.6 %    90.3 %
    length     8.0 %     9.7 %     6.7 %
    jump       0.5 %     0.3 %     0.6 %

docs/tasks.md has the trivial answers and the published figures. The data are downloaded once, or read from a folder
with the original file: `--manual_dir=DIR`.
"""

import ml_collections


def get_config(split: str = "simple") -> ml_collections.ConfigDict:
    """Returns the config of a split: "simple", "length" or "jump"."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "scan", "split": split or "simple"})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 64, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 2000
    config.batch_size = 64
    config.evaluations = 5
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
