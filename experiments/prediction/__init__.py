"""What `experiments.predict` reads and prints."""
