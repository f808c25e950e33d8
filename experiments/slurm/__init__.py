"""Jobs on Slurm, by submitit: for the workers of a sweep, and for whole commands."""
