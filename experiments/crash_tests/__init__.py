"""The parts of `experiments.killtest`: a run's stages, the times of kills, and the comparison with the reference."""
