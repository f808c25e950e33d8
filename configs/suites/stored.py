"""The stored data sets with one shared report: MNIST row by row, JSB Chorales, tiny Shakespeare.

    python -m experiments.suite --config=configs/suites/stored.py

Not run as a whole yet. The times of its configs add up to about 25 minutes on two cores of an AMD EPYC, mainly for
MNIST, which takes 9 runs for each cell here, including draws, instead of 3. Each config states its expected results.
MNIST is tuned here in TuneConfig's 1e-4 to 1e-1.

The data are downloaded once. Without a network, first prepare each data set from its own folder into one `--data_dir`
(see `python -m experiments.prepare --help`).
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the suite. The fields of `shared` override every run's config."""
    config = ml_collections.ConfigDict()
    config.title = "Stored data sets"
    config.runs = ml_collections.ConfigDict(
        {
            "smnist": "configs/smnist.py:rows",
            "music": "configs/music.py",
            "characters": "configs/characters.py",
        }
    )
    config.shared = ml_collections.ConfigDict({"only": "gru,lstm,rnn", "seeds": 5})
    config.shared.tune = ml_collections.ConfigDict({"draws": 4})
    return config
