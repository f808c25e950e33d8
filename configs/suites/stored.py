"""The stored data sets with one shared report: MNIST row by row, JSB Chorales, tiny Shakespeare.

python -m experiments.suite --config=configs/suites/stored.py

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
