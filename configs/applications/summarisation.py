"""Subjects of e-mails, AESLC, by a pointer-generator of each cell.

    python -m experiments.compare --config=configs/applications/summarisation.py[:quick | :full | :opinosis]

About 2.1 million parameters, most of them embeddings. On two cores of a Xeon that many other jobs shared it took 47
minutes of wall time and 25 min 36 s of processor time (2026-12-01). The rate is the same for all cells and isn't tuned.
Expect ROUGE-1/2/L on the test set, as IQM of 3 seeds:
25.84/10.46/25.51 (GRU); 24.55/8.28/24.13 (LSTM); 19.99/5.11/19.78 (vanilla RNN). The first
sentence has 15.23/6.55/13.96.

`:quick` has one seed, 80 updates and greedy decoding. `:opinosis` also tests on 51 topics of opinions, without training
on such texts. `:full` is for a GPU: more units, updates and seeds. It wasn't run. The data are downloaded once, or
read from a folder with the original files: `--manual_dir=DIR`. Their licence excludes commercial use.
"""

import ml_collections

VARIANTS = ("default", "quick", "full", "opinosis")


def get_config(variant: str = "default") -> ml_collections.ConfigDict:
    """Returns the config of a variant."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/applications/summarisation.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict(
        {"name": "summarisation", "dataset": "aeslc", "validation_documents": 500, "length_penalty": 1.0}
    )
    config.cells = ml_collections.ConfigDict()
    size = 256 if variant == "full" else 128
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": size, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 600
    config.batch_size = 32
    config.length_buckets = 4
    config.evaluations = 2
    config.select = "best"
    config.seeds = 3
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 3e-3, "schedule": "cosine", "clip": 2.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "pointer", "embedding_size": 128, "dropout": 0.3})
    if variant == "quick":
        config.updates, config.seeds, config.evaluations = 80, 1, 1
        config.task.validation_documents, config.task.beams = 50, 1
    if variant == "full":
        config.updates, config.seeds, config.batch_size = 8000, 5, 64
        config.task.validation_documents = 0
    if variant == "opinosis":
        config.task.zero_shot = "opinosis"
    return config
