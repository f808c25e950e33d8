"""GRU against LSTM against vanilla RNN on the adding problem, T=100, about 4,500 parameters each, 5 seeds.

    python -m experiments.compare --config=configs/adding.py
    python -m experiments.compare --config=configs/adding.py:tanh

Takes 1 to 2 minutes on two cores of an AMD EPYC with AVX-512 (98 GFLOP/s each). Expect test errors, as IQM of the mean
squared error, of 3e-4 (GRU), 8e-4 (LSTM) and 1.6e-3 (vanilla RNN), all 5 seeds solved; docs/results.md has the tables.

The vanilla RNN has its best setting of those tried with two seeds each: tanh with an orthogonal recurrent kernel at the
rates 3e-4, 1e-3 and 3e-3, which stayed at the trivial error of 1/6; relu with an orthogonal kernel at 1e-3; relu with
the identity (which is orthogonal) at 3e-4, 1e-3, 2e-3 and 3e-3. Relu with the identity was best. At 2e-3 and 3e-3 it
was slightly faster, but seeds diverged, so the rate is 1e-3. `tanh` is the textbook form.
"""

import ml_collections

VARIANTS = ("relu", "tanh")


def get_config(variant: str = "relu") -> ml_collections.ConfigDict:
    """Returns the config. `variant` is the vanilla RNN's activation."""
    if variant not in VARIANTS:
        raise ValueError(f"configs/adding.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}")
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "adding", "length": 100})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 37, "reset": "after"})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict(
        {"kind": "rnn", "activation": "relu", "recurrent_init": "identity", "learning_rate": 1e-3}
        if variant == "relu"
        else {"kind": "rnn", "activation": "tanh", "recurrent_init": "orthogonal", "learning_rate": 1e-3}
    )
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 1400
    config.batch_size = 50
    config.eval_every = 100
    config.seeds = 5
    config.first_seed = 0
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "learning_rate": 1e-2, "schedule": "cosine", "warmup": 0, "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "sequence"})
    return config
