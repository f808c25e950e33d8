"""What `experiments.diagnose` and `experiments.claims` compute of finished runs."""
