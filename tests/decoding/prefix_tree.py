"""A model whose logits are a table over all that came before: any distribution over answers, and all of its answers."""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.types import Array, Batch, Params, PRNGKey


@dataclasses.dataclass(frozen=True)
class PrefixTree:
    """`params["logits"] [E, nodes, V]`: those of example `batch["inputs"] [B]`, by the number of the node.

    The root is node 0; token v leads from node n to node n * V + v + 1.
    """

    vocabulary: int
    longest: int

    @property
    def nodes(self) -> int:
        return sum(self.vocabulary**t for t in range(self.longest))

    def init(self, key: PRNGKey, example: Batch) -> Params:
        return {"logits": jax.random.normal(key, (1, self.nodes, self.vocabulary))}

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Any:
        raise NotImplementedError("a table isn't trained")

    def start(self, params: Params, batch: Batch) -> tuple[Any, Array]:
        example_B = batch["inputs"]
        return (example_B, jnp.zeros_like(example_B)), params["logits"][example_B, 0]

    def step(self, params: Params, state: Any, tokens: Array) -> tuple[Any, Array]:
        example_B, node_B = state
        node_B = node_B * self.vocabulary + tokens + 1
        return (example_B, node_B), params["logits"][example_B, node_B]  # past the longest the index is clamped


def random_logits(tree: PrefixTree, examples: int, seed: int, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(examples, tree.nodes, tree.vocabulary)).astype(np.float32)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def next_logs(logits: np.ndarray, prefix: tuple[int, ...], no_repeat: int = 0) -> np.ndarray:
    """`[V]`, float64, from one example's `logits [nodes, V]`; minus infinity at tokens that would repeat."""
    node = 0
    for token in prefix:
        node = node * logits.shape[-1] + token + 1
    logs = log_softmax(logits[node])
    if no_repeat:
        for token in range(len(logs)):
            grams = list(_grams((*prefix, token), no_repeat))
            if len(set(grams)) < len(grams):
                logs[token] = -np.inf
    return logs


def all_answers(logits: np.ndarray, end: int, longest: int, no_repeat: int = 0) -> dict[tuple[int, ...], float]:
    """Every answer of one example and its log-probability: those that end, and those of `longest` tokens."""
    found = {}
    for length in range(1, longest + 1):
        for tokens in itertools.product(range(logits.shape[-1]), repeat=length):
            if end in tokens[:-1] or (length < longest and tokens[-1] != end):
                continue
            logs = [next_logs(logits, tokens[:t], no_repeat)[token] for t, token in enumerate(tokens)]
            if np.isfinite(logs).all():
                found[tokens] = float(np.sum(logs))
    return found


def _grams(tokens: tuple[int, ...], size: int) -> Any:
    return (tokens[i : i + size] for i in range(len(tokens) - size + 1))


def rows(answers: Any, end: int) -> list[tuple[int, ...]]:
    """The tokens of each answer up to its length, after a look at what stands behind them."""
    tokens_BN, lengths_B = np.asarray(answers.tokens), np.asarray(answers.lengths)
    assert tokens_BN.dtype == lengths_B.dtype == np.int32 and answers.scores.dtype == jnp.float32
    found = []
    for tokens, length in zip(tokens_BN, lengths_B, strict=True):
        assert 1 <= length <= len(tokens)
        assert (tokens[length:] == end).all() and end not in tokens[: length - 1]
        assert length == len(tokens) or tokens[length - 1] == end
        found.append(tuple(int(token) for token in tokens[:length]))
    return found
