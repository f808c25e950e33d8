"""Trains on your own files without code: arrays, tables and texts.

Sequences in arrays `inputs`, `targets` and, if padded, `lengths`, with a class, a label for each step, or numbers:

    python -m experiments.compare --config=configs/files.py --config.task.train=beats.npz

Labelled sentences in a table with columns such as `text` and `label`; `--config.task.unit=characters` splits them into
characters:

    python -m experiments.compare --config=configs/files.py --config.task.train=sentences.tsv

A series with one step in each row, optionally with times in the first column. The trivial answers repeat the last step
and, with a season, the value one season before:

    python -m experiments.compare --config=configs/files.py --config.task.train=prices.csv \\
--config.task.target=price --config.task.season=7

A text, to predict the next character, or with `--config.task.unit=words` the next word:

    python -m experiments.compare --config=configs/files.py --config.task.train=text.txt

`--config.task.validation=FILE` and `--config.task.test=FILE` name other files. By default, each is a random tenth of
the first file (for a series or a text: its end). docs/own_data.md has the formats and all options.

GRU, LSTM and vanilla RNN of equal size, 5 seeds, 300 updates of 32 examples, rates tuned by 4 draws: about 13,000
parameters each for a few numbers a step, 26,000 for tokens with their embedding. Takes half a minute to two minutes on
two cores of an AMD EPYC for the files of docs/own_data.md, which states the expected results.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the config."""
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "files", "train": ""})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 64, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 300
    config.batch_size = 32
    config.evaluations = 10
    config.seeds = 5
    config.first_seed = 0
    config.select = "best"
    config.tune = ml_collections.ConfigDict({"draws": 4, "learning_rate": (1e-3, 3e-2), "seeds": 1})
    config.optimizer = ml_collections.ConfigDict({"name": "adam", "schedule": "cosine", "clip": 1.0})
    config.model = ml_collections.ConfigDict({"kind": "sequence"})
    return config
