"""Dialogues about restaurants, dialog bAbI, by one recurrent stream of each cell."""

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
