"""Dialogues about restaurants, dialog bAbI, by one recurrent stream of each cell with attention and copying.

    python -m experiments.compare --config=configs/applications/dialogue.py[:quick | :full | :t1 ... :t6 | :chatterbot]

The default is task 5; about 307,000 parameters each. It took 58 minutes of wall time on two cores that several other
jobs shared (2026-12-01); one GRU alone took 65 ms an update, so expect about 15 minutes on quiet cores. Expect, as IQM
of 3 seeds, 99.95 % (GRU), 99.92 % (LSTM) and 99.96 % (vanilla RNN) of right answers; the answer to the same last
utterance has 57.1 %. The rate is the same for all cells and isn't tuned.

`:quick` has one seed and 60 updates. `:t1` to `:t6` are the other tasks; `:chatterbot` is a toy chat. `:full` is for a
GPU: more units, updates and seeds; it wasn't run. The data are downloaded once, or read from a folder with the
original files: `--manual_dir=DIR`.
"""

import ml_collections

TASKS = ("t1", "t2", "t3", "t4", "t6")
VARIANTS = ("default", "quick", "full", *TASKS, "chatterbot")


def get_config(variant: str = "default") -> ml_collections.ConfigDict:
    """Returns the config of a variant."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/applications/dialogue.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    config = ml_collections.ConfigDict()
    dataset = f"dialog_babi_{variant[1]}" if variant in TASKS else "dialog_babi_5"
    config.task = ml_collections.ConfigDict({"name": "dialogue", "dataset": dataset, "validation_dialogues": 200})
    config.cells = ml_collections.ConfigDict()
    size = 256 if variant == "full" else 128
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": size, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1000
    config.batch_size = 16
    config.length_buckets = 4
    config.evaluations = 3
    config.select = "best"
    config.seeds = 3
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 3e-3, "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "stream", "hops": 2, "memory": 1024})
    if variant == "quick":
        config.updates, config.seeds, config.evaluations = 60, 1, 1
    if variant == "full":
        config.updates, config.seeds, config.batch_size = 3000, 10, 64
        config.task.validation_dialogues = 0
    if variant == "t6":
        config.task.facts, config.task.bleu = 21, True
    if variant == "chatterbot":
        config.task = ml_collections.ConfigDict({"name": "dialogue", "dataset": "chatterbot", "masked_copies": 0})
    return config
