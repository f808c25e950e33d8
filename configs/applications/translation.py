"""Translates captions of pictures from German to English, Multi30k, by an encoder-decoder of each cell with attention.

    python -m experiments.compare --config=configs/applications/translation.py[:quick | :full | :en-de | :plain]

About 2.6 million parameters each, one seed a cell. It took 56 minutes on two cores that up to four other trainings
shared (2026-12-01). Expect BLEU on Flickr 2016 of 33.4 (GRU), 32.3 (LSTM) and 30.0 (vanilla RNN); the nearest
training sentence's translation has 12.5.

`:quick` has 120 updates and greedy answers, `:plain` no attention, `:en-de` the other direction. `:full` is for a GPU;
it wasn't run. The data are downloaded once, or read from a folder with the original files: `--manual_dir=DIR`.
"""

import ml_collections

VARIANTS = ("default", "quick", "full", "en-de", "plain")


def get_config(variant: str = "default") -> ml_collections.ConfigDict:
    """Returns the config of a variant."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/applications/translation.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "translation", "direction": "de-en"})
    config.cells = ml_collections.ConfigDict()
    size = 512 if variant == "full" else 192
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": size, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1600
    config.batch_size = 64
    config.length_buckets = 4
    config.evaluations = 4
    config.select = "best"
    config.seeds = 1
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 3e-3, "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict(
        {
            "kind": "encoder_decoder",
            "layers": 1,
            "bidirectional": True,
            "attention": "bahdanau",
            "embedding_size": 128,
            "tied": True,
            "dropout": 0.1,
        }
    )
    if variant == "quick":
        config.updates, config.evaluations, config.task.beams = 120, 1, 1
    if variant == "full":
        config.updates, config.seeds, config.batch_size = 13_600, 5, 64
        config.model.embedding_size, config.model.dropout = 256, 0.5
    if variant == "en-de":
        config.task.direction = "en-de"
    if variant == "plain":
        config.model.attention = "none"
    return config
