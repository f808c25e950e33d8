"""What `experiments.sweep` is made of: the search space, the shared journal, workers, engines and the report."""
