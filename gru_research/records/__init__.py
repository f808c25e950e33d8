"""The one result format: `records.jsonl`, written by a run and read by everything that reports on it.

One JSON object a line. The first line is the run's header; then, for each cell of the comparison, `draw`
lines where its rates were tuned, one `cell` line, `evaluation` and `probe` lines during training, one `result` line
a seed; the last line says how the run ended. Each kind is a dataclass of `kinds`, whose fields are the line's.

Schema 2 added `draw` and the fields length, scaling, updates (of a cell), flops, tuned and selected_step;
schema 3 added `probe`; schema 4 `metrics`, `test_metrics`, and of a task `validation_metric`, `directions` and
`trivial` in place of one metric's `direction` and one `baseline`. Files of older schemas are read as they are,
without what came later.
"""

from .json_lines import NOT_JSON, READABLE, SCHEMA, dotted, fields_of, line_of, record_of, to_json, why_not_json
from .kinds import KINDS, Cell, Draw, End, Evaluation, Header, Probe, Record, Result
from .reading import RecordsError, Run, read
from .writing import Writer, write_whole

FILE_NAME = "records.jsonl"

STUDY_SCHEMA = "gru_research.study/1"
STUDY_FILE_NAME = "study.json"
"""What a directory of many runs holds: their names in order, and what is swept."""

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
