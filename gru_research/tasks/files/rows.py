"""Tables with one example in each row: a text or a sequence of numbers, with its label or target numbers."""

from collections.abc import Sequence

import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import Table

from .categorical import Categorical
from .examples import Examples
from .tokenization import tokenize

TEXT_NAMES = ("text", "sentence", "input", "inputs", "document", "review", "content", "message", "command", "line")
LABEL_NAMES = ("label", "labels", "class", "target", "targets", "category", "sentiment", "tag", "output", "score", "y")


def text_columns(table: Table, inputs: str, target: str) -> tuple[str, str]:
    """Returns the text column and the target column: as named, by a usual name, or the remaining one of two.

    Raises:
      UserError: a column doesn't exist, or more than one is named.
      FileError: the columns can't be inferred and must be named.
    """
    given = {}
    for field, names, usual in (("inputs", inputs, TEXT_NAMES), ("target", target, LABEL_NAMES)):
        chosen = table.chosen(field, names)
        if len(chosen) > 1:
            raise ValueError(f"{field}={names!r} must name one column: a text, or what is asked of it")
        given[field] = list(chosen) or [name for name in table.header if name.lower() in usual]
    texts, targets = given["inputs"], given["target"]
    if len(table.header) == 2:
        texts = texts or [name for name in table.header if name not in targets]
        targets = targets or [name for name in table.header if name not in texts]
    if len(texts) != 1 or len(targets) != 1 or texts == targets:
        raise FileError(
            f"{table.path}: has the columns {', '.join(filter(None, table.header))}: name the column of the text with "
            f"inputs, and the column of its label with target; or say kind='forecasting' of a series of numbers"
            f"{index_column(table)}"
        )
    return texts[0], targets[0]


def index_column(table: Table) -> str:
    """Returns advice about a first column without a name; "" if it has one."""
    return "" if table.header[0] else "; the first column has no name, as pandas writes its index: use index=False"


def from_texts(table: Table, kind: str, text: str, target: str, unit: str, limit: int) -> Examples:
    """Returns examples with a tokenised text and its label or number in each row. `limit` truncates texts; 0: none.

    Raises:
      FileError: a row's text is empty, or its target isn't valid.
    """
    sequences = []
    for n, cell in enumerate(table.texts(text)):
        units = tokenize(cell, unit)
        if not units:
            raise FileError(f"{table.place(n)}: {text}={cell!r} has no {unit}")
        sequences.append(units[:limit] if limit else units)
    targets, outputs = _targets(table, kind, (target,))
    return Examples(
        inputs=Categorical.of_sequences(sequences),
        lengths=np.array([len(units) for units in sequences], np.int32),
        targets=targets,
        outputs=outputs,
        counted=True,
        path=table.path,
        place=table.place,
    )


def from_numbers(table: Table, kind: str, inputs: Sequence[str], targets: Sequence[str]) -> Examples:
    """Returns examples with one sequence in each row. `inputs` names the columns of its steps, one number each."""
    made, outputs = _targets(table, kind, targets)
    steps = table.numbers(inputs)[..., None].astype(np.float32)
    lengths = np.full(len(steps), steps.shape[1], np.int32)
    return Examples(steps, lengths, made, outputs, counted=False, path=table.path, place=table.place)


def _targets(table: Table, kind: str, columns: Sequence[str]) -> tuple[Categorical | np.ndarray, tuple[str, ...]]:
    if kind == "regression":
        return table.numbers(columns), tuple(columns)
    (column,) = columns
    labels = [cell.strip() for cell in table.texts(column)]
    if "" in labels:
        raise FileError(f"{table.place(labels.index(''))}: {column} is empty, and must be a label")
    return Categorical.of(np.array(labels)), ()
