"""The options of a job on Slurm, all of them, with what they are where nothing is named. Copy it for your cluster.

    python -m experiments.compare --config=configs/adding.py --engine=slurm --slurm=configs/slurm/cluster.py
    python -m experiments.compare --config=configs/adding.py --engine=slurm --slurm=configs/slurm/cluster.py:gpus=1

A sweep file has the first six as its group `slurm`, and the others as `limits`.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Returns the options. Values that are empty or 0 are left to the cluster."""
    slurm = ml_collections.ConfigDict()
    slurm.partition = ""
    slurm.account = ""
    slurm.qos = ""
    slurm.constraint = ""  # features of nodes, as "a100"
    slurm.minutes = 60  # of one job; a longer run is requeued and resumes
    slurm.setup = ()  # shell lines before the command, as ("module load cuda", "export TMPDIR=/scratch/$USER")
    slurm.cpus = 0
    slurm.gpus = 0
    slurm.memory_gb = 0.0
    return slurm
