"""Uses of a GRU on real data with one page: a row for each use.

    python -m experiments.suite --config=configs/suites/applications.py[:quick]

Trains the default form of every application; `:quick` their short forms, as `make applications` does. The data are
downloaded once; without a network, prepare each data set from its own folder into one `--data_dir` (see
`python -m experiments.prepare --help`). Each application has its results in docs/applications.
"""

import ml_collections

APPLICATIONS = (
    "forecasting",
    "sentiment",
    "dialogue",
    "chorales",
    "anomalies",
    "summarisation",
    "speech",
    "translation",
)
VARIANTS = ("default", "quick")


def get_config(variant: str = "default") -> ml_collections.ConfigDict:
    """Returns the suite of the default forms, or of the short ones with "quick"."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/suites/applications.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    config = ml_collections.ConfigDict()
    config.title = "Uses of a GRU"
    config.runs = ml_collections.ConfigDict(
        {name: f"configs/applications/{name}.py:{variant}" for name in APPLICATIONS}
    )
    config.shared = ml_collections.ConfigDict({"only": "gru,lstm,rnn"})
    return config
