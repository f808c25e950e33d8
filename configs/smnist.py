"""GRU against LSTM against vanilla RNN on sequential MNIST, matched in parameters.

    python -m experiments.compare --config=configs/smnist.py:rows       28 steps of 28 pixels
    python -m experiments.compare --config=configs/smnist.py:pixels     784 steps of 1 pixel
    python -m experiments.compare --config=configs/smnist.py:permuted   784 steps, in one fixed random order

`rows` takes 6 minutes on two cores of an AMD EPYC (34 GFLOP/s a core). Expect test accuracies, as IQM, of .985 (GRU),
.983 (LSTM) and .967 (vanilla RNN); docs/results.md has the table. `pixels` and `permuted` were not run to their end:
6 updates of `pixels` took 0.55, 0.75 and 0.62 s an update and seed (GRU, LSTM, vanilla RNN). Their 5,500 updates, 10
epochs, with 3 seeds would take about 12 hours on the same two cores, with evaluations. They are for an accelerator.

MNIST has 55,000 training, 5,000 validation and 10,000 test images. It is downloaded once, or read from a folder with
the four original files: `--manual_dir=DIR`.
"""

import ml_collections

VARIANTS = ("rows", "pixels", "permuted")


def get_config(variant: str = "rows") -> ml_collections.ConfigDict:
    """Returns the config of a variant, the task's `order`."""
    if variant not in VARIANTS:
        raise ValueError(f"configs/smnist.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}")
    rows = variant == "rows"
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "smnist", "order": variant, "threshold": 0.975 if rows else 0.95})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 64 if rows else 128, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh", "learning_rate": 1e-3})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 2500 if rows else 5500
    config.batch_size = 100
    config.eval_every = 250
    config.seeds = 3
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 5e-3, "schedule": "cosine", "warmup": 0, "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "sequence"})
    return config
