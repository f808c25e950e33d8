"""Describes models as plain JSON for the scripts of a page. A model that the scripts can't run is refused."""

from typing import Any

from gru_research.cells import GRU, LSTM, VanillaRNN
from gru_research.config import UserError
from gru_research.layers import Bidirectional, Embedding
from gru_research.models.segrnn import SegRNN
from gru_research.models.sequence import SequenceModel

ACTIVATIONS = ("sigmoid", "tanh", "relu")
"""The functions that `network.js` has."""


def describe(label: str, model: Any) -> dict[str, Any]:
    """Returns the description of a cell's model. Raises UserError for one that the scripts can't run."""
    if isinstance(model, SegRNN):
        return {
            "cell": _cell(label, model.cell),
            "segment": model.segment,
            "horizon": model.horizon,
            "outputs": model.outputs,
        }
    if not isinstance(model, SequenceModel) or model.readout.mode == "every":
        raise _unsupported(label, f"a {type(model).__name__}", "models of kind 'sequence' with one answer, or 'segrnn'")
    if model.stack.connections != "plain":
        raise _unsupported(label, f"connections={model.stack.connections!r}", "connections='plain'")
    if model.embedding is None:
        raise _unsupported(label, "inputs that are numbers", "tokens")
    return {
        "embedding": "table" if isinstance(model.embedding, Embedding) else "one_hot",
        "vocabulary": model.embedding.vocabulary,
        "layers": [_layer(label, layer) for layer in model.stack.cells],
        "readout": model.readout.mode,
    }


def _layer(label: str, layer: Any) -> dict[str, Any]:
    if not isinstance(layer, Bidirectional):
        return {"cell": _cell(label, layer), "merge": ""}
    if layer.forward != layer.backward:
        raise _unsupported(label, "other cells forward and backward", "one cell for both")
    return {"cell": _cell(label, layer.forward), "merge": layer.merge}


def _cell(label: str, cell: Any) -> dict[str, Any]:
    if type(cell) not in (GRU, LSTM, VanillaRNN):
        raise _unsupported(label, type(cell).__name__, "GRU, LSTM and VanillaRNN")
    found: dict[str, Any] = {"size": cell.hidden_size, "activation": cell.activation}
    if isinstance(cell, GRU):
        found |= {"kind": "gru", "reset": cell.reset, "update": cell.update, "gate": cell.gate}
    elif isinstance(cell, LSTM):
        found |= {"kind": "lstm", "without": cell.without, "gate": cell.gate}
    else:
        found |= {"kind": "rnn"}
    for field in {"gate", "activation"} & set(found):
        if found[field] not in ACTIVATIONS:
            raise _unsupported(label, f"{field}={found[field]!r}", ", ".join(ACTIVATIONS))
    return found


def _unsupported(label: str, what: str, choices: str) -> UserError:
    return UserError(f"a page can't run {label}, which has {what}: it runs {choices}")
