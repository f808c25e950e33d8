"""What `experiments.doctor` looks at: a file a subject, each with `check(settings)` that returns findings."""
