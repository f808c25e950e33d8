"""The checks of `experiments.doctor`: one file per subject, each with a `check(settings)` that returns findings."""
