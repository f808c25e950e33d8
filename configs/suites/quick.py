"""Five short tasks with one shared report: sums, parity, order, recall by position and by key.

    python -m experiments.suite --config=configs/suites/quick.py

Takes 5.9 minutes on two cores of an AMD EPYC that another job shared (8.7 minutes of CPU time). Expect normalised
scores (0 at a task's baseline, 1 at its threshold), as IQM over the five tasks, of 1.00 (GRU), 1.00 (LSTM) and 0.65
(vanilla RNN), and solved seeds, of 5, of

                          GRU   LSTM   vanilla RNN
    adding                  5      5             5
    parity                  5      5             0
    temporal_order          5      5             3
    selective_copy          5      5             4
    associative_recall      1      3             0

Every run is tuned with 4 draws, adding in TuneConfig's 1e-4 to 1e-1, the others in the range of their own config.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the suite. The fields of `shared` override every run's config."""
    config = ml_collections.ConfigDict()
    config.title = "Five short tasks"
    config.runs = ml_collections.ConfigDict(
        {
            "adding": "configs/adding.py:task.length=50,updates=500",
            "parity": "configs/parity.py:task.length=20,task.test_length=100,updates=500",
            "temporal_order": "configs/temporal_order.py:short",
            "selective_copy": "configs/selective_copy.py:task.length=16,task.symbols=2,cells.gru.hidden_size=48",
            "associative_recall": "configs/associative_recall.py:updates=1000",
        }
    )
    config.shared = ml_collections.ConfigDict({"only": "gru,lstm,rnn", "evaluations": 10})
    config.shared.tune = ml_collections.ConfigDict({"draws": 4})
    return config
