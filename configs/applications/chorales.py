"""Bach's chorales, note by note: two layers of each cell, about 183,500 parameters each.

    python -m experiments.compare --config=configs/applications/chorales.py[:quick | :full]

Took 8 min 14 s on two cores of an AMD EPYC that other jobs shared (2026-12-01). Expect test nats a note, as IQM of 3
seeds, of .472 (GRU), .472 (LSTM) and .494 (vanilla RNN); repeating each voice's last note, by counts, has .983.
":quick", one seed, 64 units and 150 updates, took 37 s: .813, 1.071 and .723. ":full" is for a GPU and wasn't run.

The data are downloaded once, or read from a folder with the original file: `--manual_dir=DIR`.
"""

import ml_collections

VARIANTS = ("default", "quick", "full")


def get_config(variant: str = "default") -> ml_collections.ConfigDict:
    """Returns the config of a variant."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/applications/chorales.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "chorales", "segment": 64, "context": 8, "transpose": True})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 128, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1000
    config.batch_size = 16
    config.evaluations = 10
    config.select = "best"
    config.seeds = 3
    config.first_seed = 0
    config.tune = ml_collections.ConfigDict({"draws": 4, "learning_rate": (1e-3, 2e-2), "updates": 200, "seeds": 1})
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict(
        {"kind": "voices", "layers": 2, "embedding_size": 64, "beats": 16, "dropout": 0.0}
    )
    if variant == "quick":
        config.cells.gru.hidden_size = 64
        config.updates = 150
        config.seeds = 1
        config.tune.draws = 0
        config.optimizer.learning_rate = 1e-2
    if variant == "full":
        config.cells.gru.hidden_size = 256
        config.updates = 6000
        config.batch_size = 32
        config.evaluations = 30
        config.seeds = 5
        config.model.dropout = 0.3
    return config
