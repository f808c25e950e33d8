"""Test texts that a report explains: what each word did, and the gates and the attention at each word."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit, softmax

import gru_research as gr
from gru_research.cells.gate_roles import is_candidate
from gru_research.layers import Bidirectional, real_steps
from gru_research.models import SequenceModel
from gru_research.types import Array, Batch, Params

from .explanation import explain
from .facts import Facts

SHOWN = 3
SHORTEST, LONGEST = 5, 12
"""The fewest and the most words of a text that is shown."""


def collect(
    facts: Facts, model: Any, params: Params, test: Mapping[str, np.ndarray], kept: Any
) -> dict[str, np.ndarray]:
    """Returns up to `SHOWN` test texts with the answers to them; nothing where no text is short enough.

    `places [K]` are positions in the test set; `words [K, T]` are padded with "", and `labels [K]` are the first right
    label of each. `effects [K, T]` is by how much each word raises the log-odds of that label, and `probability [K]`
    its probability. `map/NAME [K, T]`, numbers from 0 to 1, are the gates of the first layer, each the mean over units,
    and the attention, divided by the text's highest.
    """
    del kept
    places = choose(facts, test)
    if not len(places):
        return {}
    batch = {name: jnp.asarray(test[name][places]) for name in ("inputs", "lengths")}
    wanted = test["targets"][places]
    label = np.asarray(wanted.argmax(1) if facts.several else wanted)
    unknown = len(facts.words) - 1
    found = jax.jit(lambda p, b, asked: explain(model, p, b, unknown, facts.several, asked))(params, batch, label)
    outputs = np.asarray(found["outputs"], np.float64)
    shares = expit(outputs) if facts.several else softmax(outputs, -1)
    lengths = np.asarray(batch["lengths"])
    real = np.arange(batch["inputs"].shape[1]) < lengths[:, None]
    longest = int(lengths.max())
    arrays = {
        "places": places,
        "words": np.where(real, np.array(facts.words)[test["inputs"][places]], "")[:, :longest],
        "labels": np.array(facts.labels)[label],
        "probability": shares[np.arange(len(places)), label],
        "effects": np.asarray(found["effects"])[:, :longest],
    }
    if isinstance(model, SequenceModel):
        maps = jax.jit(lambda p, b: dict(_maps(model, p, b)))(params, batch)
        arrays |= {f"map/{name}": np.asarray(values)[:, :longest] for name, values in maps.items()}
    return arrays


def choose(facts: Facts, test: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the positions of the first text with a negation and of the first ones without it, of different labels
    if possible, among the texts of `SHORTEST` to `LONGEST` words with a label. Answers play no part in it."""
    lengths, targets = test["lengths"], test["targets"]
    fit = (lengths >= SHORTEST) & (lengths <= LONGEST)
    if facts.several:
        fit &= targets.any(1)
    label = targets.argmax(1) if facts.several else targets
    real = np.arange(test["inputs"].shape[1]) < lengths[:, None]
    negated = (np.isin(test["inputs"], facts.negations) & real).any(1)
    plain = np.flatnonzero(fit & ~negated)
    _, first = np.unique(label[plain], return_index=True)
    order = np.sort(plain[first]).tolist() + plain.tolist()
    chosen = np.flatnonzero(fit & negated)[:1].tolist() + order
    return np.array(list(dict.fromkeys(chosen))[:SHOWN], np.int64)


def _maps(model: SequenceModel, params: Params, batch: Batch) -> Iterator[tuple[str, Array]]:
    """Yields the gates of the first layer and the attention, `[K, T]` by name."""
    xs = batch["inputs"]
    if model.embedding:
        xs = model.embedding.apply(params["embedding"], xs)
    layer, own = model.stack.cells[0], params["stack"][0]
    if isinstance(layer, Bidirectional):
        ways = {" forward": (layer.forward, own["forward"]), " backward": (layer.backward, own["backward"])}
    else:
        ways = {"": (layer, own)}
    for way, (cell, cell_params) in ways.items():
        _, _, gates = gr.trace(cell, cell_params, xs, lengths=batch["lengths"], reverse=way == " backward")
        for gate, values in gates.items():
            if not is_candidate(cell, gate):
                yield f"{gate}{way}", values.mean(-1)
    pooling = model.readout.pooling
    if pooling is not None:
        _, ys = model.stack.apply(params["stack"], xs, lengths=batch["lengths"])
        assert ys is not None
        real = real_steps(xs.shape[-2], batch["lengths"], None)
        _, weights = pooling.apply(params["readout"]["attention"], ys, real)
        yield "attention", weights / weights.max(-1, keepdims=True)
