"""Five short tasks with one shared report: sums, a bit of state, order, recall by key and by position.

python -m experiments.suite --config=configs/suites/quick.py
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """The suite; what `shared` says goes for every run, over what its config says."""
    config = ml_collections.ConfigDict()
    config.title = "Five short tasks"
    config.runs = ml_collections.ConfigDict(
        {
            "adding": "configs/adding.py:task.length=50,updates=500",
            "parity": "configs/parity.py:task.length=20,task.test_length=100,updates=500",
            "temporal_order": "configs/temporal_order.py:task.length=44,updates=400",
            "selective_copy": "configs/selective_copy.py:task.length=16,task.symbols=2,cells.gru.hidden_size=48",
            "associative_recall": "configs/associative_recall.py:updates=1000",
        }
    )
    config.shared = ml_collections.ConfigDict({"only": "gru,lstm,rnn", "evaluations": 10})
    config.shared.tune = ml_collections.ConfigDict({"draws": 4})
    return config
