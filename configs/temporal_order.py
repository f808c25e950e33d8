"""Temporal order (task 6a): the order of two symbols among distractors; 3,300 parameters.

    python -m experiments.compare --config=configs/temporal_order.py         lengths 100 to 110, as published
    python -m experiments.compare --config=configs/temporal_order.py:short   lengths 40 to 44

`long` takes 5.4 minutes on two cores of an AMD EPYC that several jobs shared (4.6 minutes of CPU time). Expect test
accuracies, as IQM, of 1.000 (chrono, 5 of 5 seeds solved), .250 (GRU, none; chance is .25), .715 (LSTM, 1 of 5) and
.253 (vanilla RNN, none). `chrono` is the GRU with update gates initialised for spans of up to `length` steps
(Tallec and Ollivier 2018).

Rates are tuned in 1e-3 to 1e-1; of 4 draws chrono and GRU chose the highest, 0.032 (chrono solved it at all of them),
LSTM 0.0021, vanilla RNN 0.0043. In 3e-4 to 3e-2 chrono had 1.000, the other three .25. `short`, without chrono, is a
run of configs/suites/quick.py: 1.000 (GRU), 1.000 (LSTM), .984 (vanilla RNN), at 0.0097, 0.0097 and 0.0031.
"""

import ml_collections

VARIANTS = ("long", "short")


def get_config(variant: str = "long") -> ml_collections.ConfigDict:
    """Returns the config of a variant, a range of lengths."""
    if variant not in VARIANTS:
        raise ValueError(f"configs/temporal_order.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}")
    long = variant == "long"
    length = 110 if long else 44
    config = ml_collections.ConfigDict()
    config.task = ml_collections.ConfigDict({"name": "temporal_order", "symbols": 2, "length": length})
    config.cells = ml_collections.ConfigDict()
    config.cells.gru = ml_collections.ConfigDict({"kind": "gru", "hidden_size": 28, "reset": "after"})
    config.cells.chrono = ml_collections.ConfigDict({"kind": "gru", "reset": "after", "chrono": length})
    config.cells.lstm = ml_collections.ConfigDict({"kind": "lstm", "forget_bias": 1.0})
    config.cells.rnn = ml_collections.ConfigDict({"kind": "rnn", "activation": "tanh"})
    config.only = ""
    config.reference = "gru"
    config.match = "parameters"
    config.updates = 800 if long else 400
    config.batch_size = 32
    config.evaluations = 15
    config.seeds = 5
    config.first_seed = 0
    config.tune = ml_collections.ConfigDict(
        {"draws": 4, "learning_rate": (1e-3, 1e-1) if long else (3e-4, 3e-2), "seeds": 1}
    )
    config.optimizer = ml_collections.ConfigDict(
        {"name": "adam", "schedule": "cosine", "clip": 1.0, "weight_decay": 0.0}
    )
    config.model = ml_collections.ConfigDict({"kind": "sequence", "embedding_size": 0})
    return config
