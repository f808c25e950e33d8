"""Forecasts of ETTh1 or ETTh2 at the horizons of the literature, 96, 192, 336 and 720 hours, with one page.

    python -m experiments.suite --config=configs/suites/forecasting_horizons.py[:etth2]

Every horizon is trained as in configs/applications/forecasting.py, with one seed; `--config.shared.seeds=3` trains
more. ETTh1 took 32 minutes on two cores that other jobs shared (2026-12-01). Results:
docs/applications/forecasting.md.
"""

import ml_collections

HORIZONS = (96, 192, 336, 720)
VARIANTS = ("etth1", "etth2")
CONFIGS = {"etth1": "default", "etth2": "etth2"}
"""Variants of configs/applications/forecasting.py."""


def get_config(variant: str = "etth1") -> ml_collections.ConfigDict:
    """Returns the suite of a data set."""
    if variant not in VARIANTS:
        raise ValueError(
            f"configs/suites/forecasting_horizons.py has no variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    file = f"configs/applications/forecasting.py:{CONFIGS[variant]}"
    config = ml_collections.ConfigDict()
    config.title = f"Forecasts of {variant.replace('etth', 'ETTh')} by horizon"
    config.runs = ml_collections.ConfigDict(
        {f"horizon-{steps:03d}": f"{file},task.horizon={steps}" for steps in HORIZONS}
    )
    config.shared = ml_collections.ConfigDict({"only": "gru,lstm,rnn", "seeds": 1})
    return config
