"""The result format `records.jsonl`: written by a run, read by all reports.

Each line is one JSON object. The first line is the run's header. Each cell of the comparison then has `draw` lines if
its rates were tuned, one `cell` line, `evaluation` and `probe` lines from training, and one `result` line per seed.
The last line says how the run ended. Each kind of line is a dataclass in `kinds` with the same fields.

Schema 2 added `draw` and the fields length, scaling, updates (of a cell), flops, tuned and selected_step.
Schema 3 added `probe`. Schema 4 added `metrics` and `test_metrics`; in a task, `validation_metric`, `directions` and
`trivial` replaced the `direction` of one metric and the single `baseline`. Files of older schemas remain readable;
fields added later are missing.
"""

from .json_lines import NOT_JSON, READABLE, SCHEMA, dotted, fields_of, line_of, record_of, to_json, why_not_json
from .kinds import KINDS, Cell, Draw, End, Evaluation, Header, Probe, Record, Result
from .reading import RecordsError, Run, read
from .writing import Writer, write_whole

FILE_NAME = "records.jsonl"

STUDY_SCHEMA = "gru_research.study/1"
STUDY_FILE_NAME = "study.json"
"""The file of a directory with several runs: their names in order, and the swept field."""

__all__ = [
    "FILE_NAME",
    "KINDS",
    "NOT_JSON",
    "READABLE",
    "SCHEMA",
    "STUDY_FILE_NAME",
    "STUDY_SCHEMA",
    "Cell",
    "Draw",
    "End",
    "Evaluation",
    "Header",
    "Probe",
    "Record",
    "RecordsError",
    "Result",
    "Run",
    "Writer",
    "dotted",
    "fields_of",
    "line_of",
    "read",
    "record_of",
    "to_json",
    "why_not_json",
    "write_whole",
]
