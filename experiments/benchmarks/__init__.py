"""What `experiments.benchmark` measures, a suite a file, and the machinery that takes fair times."""
