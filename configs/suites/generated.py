"""All twelve generated tasks with one shared report: GRU, LSTM and vanilla RNN, each tuned with 4 draws, 5 seeds.

    python -m experiments.suite --config=configs/suites/generated.py
    python -m experiments.suite --config=configs/suites/generated.py --runs=adding,parity

Not run as a whole yet. Its configs without adding, run separately, three of them with a fourth cell, took 27 minutes on
two cores of an AMD EPYC that other jobs shared. Each config states its expected results.
"""

import ml_collections

TASKS = (
    "adding",
    "multiplication",
    "copy_memory",
    "selective_copy",
    "temporal_order",
    "associative_recall",
    "noisy_padded",
    "parity",
    "modular_arithmetic",
    "cycle_navigation",
    "word_problem",
    "listops",
)


def get_config() -> ml_collections.ConfigDict:
    """Returns the suite. The fields of `shared` override every run's config."""
    config = ml_collections.ConfigDict()
    config.title = "Twelve generated tasks"
    config.runs = ml_collections.ConfigDict({task: f"configs/{task}.py" for task in TASKS})
    # A profile over tasks needs every cell in all tasks. The search also tunes cells with a fixed rate in their config.
    config.shared = ml_collections.ConfigDict({"only": "gru,lstm,rnn", "seeds": 5})
    config.shared.tune = ml_collections.ConfigDict({"draws": 4})
    return config
