"""Oracles of attention and an encoder-decoder in NumPy float64, as loops over rows, steps and queries."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.oracles import VARIANTS, Carry, sequence

Vector = NDArray[np.float64]


def read(kind: str, params: Mapping[str, Any], query: Vector, memory: Vector, real: Vector) -> tuple[Vector, Vector]:
    """Returns context `(E,)` and weights `(T,)` for one query `(H,)`, a memory `(T, E)` and the mask `real (T,)`.

    Bahdanau et al. 2015, section A.1.2, equation for e_ij; Luong et al. 2015, section 3.1, general and dot.
    """
    scores = np.full(len(memory), -np.inf)
    for t in np.flatnonzero(real):
        if kind == "bahdanau":
            scores[t] = params["v"] @ np.tanh(params["W_q"].T @ query + params["W_m"].T @ memory[t])
        else:
            scores[t] = query @ (params["W"].T @ memory[t] if kind == "general" else memory[t])
    weights = np.zeros(len(memory))
    if real.any():
        weights[real] = np.exp(scores[real] - scores[real].max())
        weights /= weights.sum()
    context = np.zeros(memory.shape[1])
    for t in np.flatnonzero(real):
        context += weights[t] * memory[t]
    return context, weights


def encode(name: str, params: Any, xs: Vector, lengths: Vector, bidirectional: bool) -> tuple[list[Carry], Vector]:
    """Returns the decoder's initial carry of each layer, arrays `(B, H)`, and the encoder's outputs `(B, T, E)`."""
    carries = []
    for layer, bridge in zip(params["encoder"], params["bridge"], strict=True):
        if not bidirectional:
            carry, xs, _ = sequence(name, layer, xs, lengths=lengths)
        else:
            forward, ys, _ = sequence(name, layer["forward"], xs, lengths=lengths)
            backward, zs, _ = sequence(name, layer["backward"], xs, lengths=lengths, reverse=True)
            xs = np.concatenate([ys, zs], -1)
            joined = [np.concatenate(parts, -1) for parts in zip(forward, backward, strict=True)]
            carry = tuple(a @ own["W"] + own["b"] for a, own in zip(joined, bridge, strict=True))
        carries.append(carry)
    return carries, xs


def logits_and_weights(
    name: str, kind: str, params: Any, batch: Mapping[str, Any], begin: int, bidirectional: bool = False
) -> tuple[Vector, Vector]:
    """Returns logits `(B, U, V)` under teacher forcing and attention weights `(B, U, T)`, both 0 at padding.

    `kind` is "none", "bahdanau" or "general". The parameters determine the vocabulary and the embeddings.
    """
    inputs, targets = batch["inputs"], batch["targets"]
    xs = params["source"]["E"][inputs] if "source" in params else inputs
    firsts, memory = encode(name, params, xs, batch["lengths"], bidirectional)
    decoder, table, readout = params["decoder"], params["target"]["E"], params["readout"]
    real = np.arange(memory.shape[1]) < batch["lengths"][:, None]
    logits = np.zeros((*targets.shape, len(readout["b"])))
    weights = np.zeros((*targets.shape, memory.shape[1]))
    for b, length in enumerate(batch["target_lengths"]):
        scale = 1 if "W" in readout else np.sqrt(table.shape[1])  # without W it is tied
        carries, token = [tuple(part[b] for part in carry) for carry in firsts], begin
        for u in range(length):
            x, context = table[token] * scale, np.zeros(0)
            if kind == "bahdanau":
                query = carries[0][-1]  # h is the last part of every carry
                context, weights[b, u] = read(kind, decoder["attention"], query, memory[b], real[b])
                x = np.concatenate([x, context])
            for layer, own in enumerate(decoder["stack"]):
                carries[layer], x, _ = VARIANTS[name].step(own, carries[layer], x, {})
            if kind == "general":
                context, weights[b, u] = read(kind, decoder["attention"], x, memory[b], real[b])
            v = x
            if "vector" in decoder:
                v = decoder["vector"]["W"].T @ np.concatenate([context, x])
                v = v if kind == "none" else np.tanh(v)
            kernel = readout.get("W", table.T)
            logits[b, u] = kernel.T @ v + readout["b"]
            token = targets[b, u]
    return logits, weights
