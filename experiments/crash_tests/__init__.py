"""What `experiments.killtest` is made of: where a run stands, when to kill it, and whether it ended alike."""
