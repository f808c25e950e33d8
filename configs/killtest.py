"""Three cells, tuned and trained within seconds, for the interruptions of `experiments.killtest`.

    python -m experiments.killtest
    python -m experiments.compare --config=configs/killtest.py
    python -m experiments.compare --config=configs/killtest.py:sweep

The comparison alone takes 25 seconds to a minute on two cores, most of it for compilation. It trains 1,000 updates
on 30 steps of the adding problem. Expect GRU and LSTM to solve it (mean squared errors of 2e-4 and 2e-3) and the tanh
RNN to fail (0.14). It has every phase of a run: draws, training, the best parameters by validation, and the test.
The variant `sweep` is a trial of `killtest --engine=slurm`: 2 seeds, 400 updates, no draws.
"""

import ml_collections

VARIANTS = ("", "sweep")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r} must be one of {', '.join(filter(None, VARIANTS))}")
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "adding", "length": 30, "validation_size": 200, "test_size": 400})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 22})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm"})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn"})
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1000
    config.batch_size = 20
    config.eval_every = 50
    config.seeds = 4
    config.select = "best"
    config.optimizer = ml_collections.ConfigDict({"learning_rate": 1e-2, "schedule": "cosine", "clip": 1.0})
    config.tune = ml_collections.ConfigDict({"draws": 3, "updates": 300, "learning_rate": (1e-3, 1e-1)})
    if variant == "sweep":
        config.seeds = 2
        config.updates = 400
        config.tune.draws = 0
    return config
