"""Converts an `ml_collections.ConfigDict` to frozen, validated dataclasses.

`experiment(mapping)` checks every field and makes an `ExperimentConfig`. A mistake raises `UserError`, whose message is
one line that names the field, the value and the choices. `choose` checks names of cells, tasks and optimisers next to
their literal dict; `call` checks options against the signature of the function that takes them.
"""

from .errors import FileError, UserError
from .mappings import experiment, to_mapping, with_fields
from .names import LONGEST_FILE_NAME, check_file_name, check_known, choose, split_names, split_own
from .schema import CellConfig, ExperimentConfig, HorizonConfig, ModelConfig, OptimizerConfig, TaskConfig, TuneConfig
from .signatures import call, hints_of

__all__ = [
    "LONGEST_FILE_NAME",
    "CellConfig",
    "ExperimentConfig",
    "FileError",
    "HorizonConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TaskConfig",
    "TuneConfig",
    "UserError",
    "call",
    "check_file_name",
    "check_known",
    "choose",
    "experiment",
    "hints_of",
    "split_names",
    "split_own",
    "to_mapping",
    "with_fields",
]
