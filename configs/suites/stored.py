"""The stored data sets with one shared report: MNIST row by row, JSB Chorales, tiny Shakespeare.

    python -m experiments.suite --config=configs/suites/stored.py

Not run as a whole yet; about 25 minutes on two cores of an AMD EPYC, by the times of its configs, most of them for
MNIST, which takes 9 runs a cell here, its draws included, instead of 3. Each config says in its own file what to
expect; MNIST is tuned here in TuneConfig's 1e-4 to 1e-1.

The data are downloaded once. Without a network prepare each from its own folder first, as `python -m
experiments.prepare --help` says, all into one `--data_dir`.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """The suite; what `shared` says goes for every run, over what its config says."""
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
