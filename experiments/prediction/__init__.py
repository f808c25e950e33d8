"""Input and output of `experiments.predict`."""
