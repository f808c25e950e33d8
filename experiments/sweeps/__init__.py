"""The parts of `experiments.sweep`: the search space, the shared journal, workers, engines and the report."""
