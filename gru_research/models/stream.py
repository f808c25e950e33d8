"""One recurrent stream that predicts its next tokens, with attention to its own past and by copying from it."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gru_research.cells import Cell
from gru_research.cells.arguments import split
from gru_research.cells.checks import rate, whole
from gru_research.layers import Embedding, Readout, Stack
from gru_research.layers.noise import drop_steps
from gru_research.masks import length_mask
from gru_research.spec import Spec
from gru_research.time_loop import UnrollOptions
from gru_research.time_loop.options import check_options
from gru_research.types import Array, Batch, Carry, Params, PRNGKey

from . import past
from .past import NEVER, Past, PastAttention, View
from .stream_answers import answers_side_by_side

LEAST = -20.0
"""The logarithm of the probability of a target that the model has no way to say. With minus infinity one such word
would hide all others in a mean."""


class Predicted(NamedTuple):
    """What a stream predicts.

    Attributes:
      logs: the logarithm of each target's probability, `[B, U]`.
      tokens: the most probable token where each target is, `[B, U]`. An answer that is decoded greedily is right
        exactly if all of its tokens are right here, as each is predicted from the right ones before it.
      answers: the greedy answers `[B, R, N]`, each followed by zeros; None unless a batch has `responses`.
    """

    logs: Array
    tokens: Array
    answers: Array | None


class State(NamedTuple):
    """A stream between two tokens; every array has a leading batch axis.

    Attributes:
      carry: one a layer.
      past: the last `memory` steps, the newest one at the end.
      said_at: when the model last said each step's token, `[B, T]`, or `NEVER`.
      now: the number of tokens read, `[B]`.
    """

    carry: tuple[Carry, ...]
    past: Past
    said_at: Array
    now: Array


@dataclasses.dataclass(frozen=True)
class StreamModel:
    """A stack of recurrent layers reads x_1, x_2, ...; after some of these steps i it predicts the next token:

        h_j = the top layer's state,  e_j = the embedding of x_j,  m_j = [h_j; e_j]
        v_i = h_i;  for each hop  v_i <- tanh([v_i; sum_j a_ij m_j] W + b)
        with  a_ij = softmax over j <= i of score(v_i, m_j)
        p_i(w) is proportional to  exp(g_i[w]) + sum over j <= i with x_j = w of exp(score(v_i, m_j)),
        g_i = v_i W_g + b_g, for the words w < G that are generated; others are only copied

    `PastAttention` has the scores; each hop and the copying have their own. Several hops come from Sukhbaatar et al.
    2015 (arXiv 1503.08895); Gu et al. 2016 (arXiv 1603.06393) add generating and copying in one sum. No state
    depends on what attention reads, so that the whole stream runs first, and all predictions follow side by side.

    A batch has `inputs [B, T]` and `lengths [B]`. For `apply` it also has the steps after which a token is predicted,
    `positions [B, U]`, rising in each row, and `targets [B, U]`, these tokens, which the model itself says: a target
    other than `end` is the input after its position. `target_lengths [B]` counts them.

    Attributes:
      stack: the recurrent layers.
      embedding: of the inputs.
      attention: the scores of each hop and of copying.
      hops: the number of hops, at least 1.
      readout: from v to the logits of the G generated words.
      end: the token that ends what the model says. It is predicted and never read.
      memory: the number of tokens that a stream looks back with `step`.
      dropout: the rate at which embeddings and v are dropped, a new mask each step.
      options: how the time loop runs.
    """

    stack: Stack
    embedding: Embedding
    attention: PastAttention
    hops: int
    readout: Readout
    end: int = 0
    memory: int = 1024
    dropout: float = 0.0
    options: UnrollOptions = UnrollOptions()

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """Returns `embedding`, `stack`, `hops`, `copy` and `readout`."""
        del example
        embedding_key, stack_key, hops_key, copy_key, readout_key = split(key, 5)
        hidden = self.stack.output_size
        values = hidden + self.embedding.size
        hops = []
        for hop_key in split(hops_key, self.hops):
            attention_key, vector_key = split(hop_key)
            hops.append(
                {
                    "attention": self.attention.init(attention_key, hidden, values),
                    "W": past.KERNEL_INIT(vector_key, (hidden + values, hidden), jnp.float32),
                    "b": jnp.zeros(hidden),
                }
            )
        return {
            "embedding": self.embedding.init(embedding_key),
            "stack": self.stack.init(stack_key, self.embedding.size),
            "hops": hops,
            "copy": self.attention.init(copy_key, hidden, values),
            "readout": self.readout.init(readout_key, hidden),
        }

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Predicted:
        """Returns the predictions at a batch's positions; `key` draws dropout, None is evaluation.

        At the targets' padding they are finite and have no meaning. If the batch also has `starts [B, R]`, steps after
        which an answer begins, and `responses [B, R, N]`, answers of at most N tokens are decoded there, greedily and
        side by side. They cost N further steps.
        """
        keys: list[Any] = [None] * 3 if key is None else list(split(key, 3))
        inputs, positions, targets = batch["inputs"], batch["positions"], batch["targets"]
        states, whole_past = self._past(params, inputs, batch["lengths"], keys[0], keys[1])
        h_BUH = jnp.take_along_axis(states, positions[..., None], 1)
        real = length_mask(batch["target_lengths"], positions.shape[1])
        said = jnp.where(real & (targets != self.end), targets, NEVER)
        said_at = past.said_before(inputs, said, positions + 1)
        seen = whole_past.times[:, None] <= positions[..., None]
        shown = past.view(whole_past, positions, seen, said_at)
        logits, scores = self.predict(params, h_BUH, (whole_past,), (shown,), keys[2])
        logs = _target_logs(logits, scores, inputs, targets)
        tokens = past.most_probable(logits, scores, inputs)
        answers = None
        if "responses" in batch:
            answers = answers_side_by_side(self, jax.lax.stop_gradient(params), batch, whole_past, said_at)
        return Predicted(logs, tokens, answers)

    def start(self, params: Params, batch: Batch) -> tuple[State, Array]:
        """Returns the state after `inputs` and the logarithms `[B, V]` of the next token's probabilities.

        `said [B, T]` (boolean) marks the inputs that the model itself has said; without it there are none.
        """
        inputs, lengths = batch["inputs"], batch["lengths"]
        carry, _, whole_past = self._run(params, inputs, lengths)
        said = batch.get("said")
        equal = inputs[:, :, None] == inputs[:, None, :]
        own = jnp.zeros(inputs.shape, bool) if said is None else said & length_mask(lengths, inputs.shape[1])
        said_at = jnp.where(equal & own[:, None, :], whole_past.times[:, None], NEVER).max(-1)
        state = State(carry, *_newest_last(whole_past, said_at, lengths, self.memory), lengths.astype(jnp.int32))
        return state, self._next(params, state)

    def step(self, params: Params, state: State, tokens: Array) -> tuple[State, Array]:
        """Returns the next state and the next token's logarithms `[B, V]` after the model has said `tokens [B]`."""
        return self._advance(params, state, tokens, said=True)

    def read(self, params: Params, state: State, tokens: Array) -> tuple[State, Array]:
        """As `step`, for tokens that the model reads and hasn't said, such as a user's."""
        return self._advance(params, state, tokens, said=False)

    def _advance(self, params: Params, state: State, tokens: Array, said: bool) -> tuple[State, Array]:
        e_BE = self.embedding.apply(params["embedding"], tokens)
        carry, h_BH = self.stack.step(params["stack"], state.carry, e_BE)
        new = self.entries(params, tokens[:, None], h_BH[:, None], e_BE[:, None], state.now[:, None])
        kept = jax.tree.map(lambda old, one: jnp.concatenate([old[:, 1:], one.astype(old.dtype)], 1), state.past, new)
        same = kept.tokens == tokens[:, None]
        said_at = jnp.concatenate([state.said_at[:, 1:], jnp.full_like(state.said_at[:, :1], NEVER)], 1)
        latest = jnp.where(same, said_at, NEVER).max(-1)
        said_at = jnp.where(same, state.now[:, None] if said else latest[:, None], said_at)
        state = State(carry, kept, said_at, state.now + 1)
        return state, self._next(params, state)

    def _next(self, params: Params, state: State) -> Array:
        """The logarithms `[B, V]` of the next token's probabilities."""
        now = state.now[:, None] - 1
        seen = state.past.times != NEVER
        shown = past.view(state.past, now, seen[:, None], state.said_at[:, None])
        h_BUH = state.past.values[:, -1:, : self.stack.output_size]
        logits, scores = self.predict(params, h_BUH, (state.past,), (shown,))
        return past.log_probabilities(logits, scores, state.past.tokens, self.embedding.vocabulary)[:, 0]

    def _run(
        self, params: Params, inputs: Array, lengths: Array, drop_key: PRNGKey | None = None, key: PRNGKey | None = None
    ) -> tuple[tuple[Carry, ...], Array, Past]:
        """The last carries, the states `[B, T, H]` and the past of a whole stream."""
        es_BTE = self._drop(drop_key, self.embedding.apply(params["embedding"], inputs))
        carry, hs_BTH = self.stack.apply(params["stack"], es_BTE, key=key, lengths=lengths, options=self.options)
        assert hs_BTH is not None
        times = jnp.broadcast_to(jnp.arange(inputs.shape[1], dtype=jnp.int32), inputs.shape)
        return carry, hs_BTH, self.entries(params, inputs, hs_BTH, es_BTE, times)

    def _past(self, params: Params, inputs: Array, lengths: Array, *keys: PRNGKey | None) -> tuple[Array, Past]:
        return self._run(params, inputs, lengths, *keys)[1:]

    def entries(self, params: Params, tokens: Array, hs: Array, es: Array, times: Array) -> Past:
        """Returns steps as queries look at them, from `tokens` and `times [..., T]`, states and embeddings."""
        values = jnp.concatenate([hs, es.astype(hs.dtype)], -1)
        attentions = [*(hop["attention"] for hop in params["hops"]), params["copy"]]
        return Past(tokens, values, tuple(self.attention.keys(p, values) for p in attentions), times)

    def predict(
        self, params: Params, h: Array, parts: Sequence[Past], views: Sequence[View], key: PRNGKey | None = None
    ) -> tuple[Array, Array]:
        """Returns the logits of generated words `[B, U, G]` and the scores of copying `[B, U, T]`.

        Args:
          h: the states of the queries, `[B, U, H]`.
          parts: the past in parts, whose steps together are T.
          views: what the queries know of each part.
        """
        v = h
        for number, hop in enumerate(params["hops"]):
            weights = jax.nn.softmax(self._scores(hop["attention"], v, parts, views, number))
            ends = list(itertools.accumulate(view.seen.shape[-1] for view in views))[:-1]
            context = sum(
                past.average(w, part.values) for w, part in zip(jnp.split(weights, ends, -1), parts, strict=True)
            )
            v = jnp.tanh(past.affine(jnp.concatenate([v, context], -1), hop["W"], hop["b"]))
        v = self._drop(key, v)
        scores = self._scores(params["copy"], v, parts, views, self.hops)
        return self.readout.apply(params["readout"], v, v).astype(jnp.float32), scores

    def _scores(self, params: Params, v: Array, parts: Sequence[Past], views: Sequence[View], attention: int) -> Array:
        """The scores `[B, U, T]` of all parts' steps in one of the attentions."""
        each = [
            self.attention.scores(params, v, part.keys[attention], view)
            for part, view in zip(parts, views, strict=True)
        ]
        return each[0] if len(each) == 1 else jnp.concatenate(each, -1)

    def _drop(self, key: PRNGKey | None, xs: Array) -> Array:
        return xs if key is None or not self.dropout else drop_steps(key, self.dropout, xs, self.options)


def _target_logs(logits: Array, scores: Array, inputs: Array, targets: Array) -> Array:
    """Returns the targets' log-probabilities `[B, U]`: `LEAST` where a target can be neither generated nor copied."""
    least = jnp.finfo(jnp.float32).min
    generated = targets < logits.shape[-1]
    own = jnp.take_along_axis(logits, jnp.minimum(targets, logits.shape[-1] - 1)[..., None], -1)[..., 0]
    copies = inputs[:, None, :] == targets[..., None]
    copied = jnp.where(copies, scores, least)
    possible = generated | (copied > least).any(-1)
    both = jnp.logaddexp(jnp.where(generated, own, least), jax.nn.logsumexp(copied, -1))
    total = jnp.logaddexp(jax.nn.logsumexp(logits, -1), jax.nn.logsumexp(scores, -1))
    return jnp.where(possible, both - total, LEAST)


def _newest_last(whole_past: Past, said_at: Array, lengths: Array, size: int) -> tuple[Past, Array]:
    """The last `size` real steps, the newest one at the end; steps that aren't there have the time `NEVER`."""
    steps = lengths[:, None] - size + jnp.arange(size)
    there = steps >= 0

    def take(a: Array, empty: int) -> Array:
        found = jax.vmap(lambda row, at: row[at])(a, jnp.maximum(steps, 0))
        return jnp.where(there.reshape(*there.shape, *[1] * (a.ndim - 2)), found, empty)

    tokens, values, keys, times = whole_past
    kept = Past(take(tokens, NEVER), take(values, 0), tuple(take(k, 0) for k in keys), take(times, NEVER))
    return kept, take(said_at, NEVER)


def stream(
    spec: Spec,
    cell: Cell,
    *,
    layers: int = 1,
    embedding_size: int = 64,
    attention_size: int = 64,
    hops: int = 2,
    memory: int = 1024,
    dropout: float = 0.0,
    unroll: UnrollOptions = UnrollOptions(),
) -> StreamModel:
    """A `StreamModel` of `cell` for a task whose batches have `positions` and `targets` in one stream of tokens.

    Args:
      spec: the description of the task; its `output_size` is G.
      cell: of all layers.
      layers: how many recurrent layers there are.
      embedding_size: of the tokens.
      attention_size: A, the size in which queries and steps are compared.
      hops: how often the past is read before a token is predicted.
      memory: the number of tokens that a stream looks back when it is read token by token.
      dropout: the rate at which embeddings, inputs of layers above the first and v are dropped.
      unroll: how time loops run; `outputs` and `time_major` are the model's own.

    Raises:
      ValueError: an option out of its range, or a task of another kind.
    """
    layers, embedding_size = whole("layers", layers, 1), whole("embedding_size", embedding_size, 1)
    attention_size, hops = whole("attention_size", attention_size, 1), whole("hops", hops, 1)
    memory, dropout = whole("memory", memory, 2), rate("dropout", dropout)
    check_options(unroll)
    if (unroll.outputs, unroll.time_major) != ("all", False):
        given = f"outputs={unroll.outputs!r}, time_major={unroll.time_major!r}"
        raise ValueError(f"unroll: {given} must be left alone, 'all' and False: the model sets them")
    needed = ("inputs", "lengths", "positions", "targets", "target_lengths")
    if spec.vocabulary is None or not set(needed) <= set(spec.example):
        raise ValueError(
            f"kind='stream' needs a task of tokens with {', '.join(needed)}; this one has {', '.join(spec.example)}"
        )
    if spec.output_size > spec.vocabulary:
        raise ValueError(f"output_size={spec.output_size} must be at most vocabulary={spec.vocabulary}")
    return StreamModel(
        stack=Stack((cell,) * layers, dropout if layers > 1 else 0.0),
        embedding=Embedding(spec.vocabulary, embedding_size),
        attention=PastAttention(attention_size),
        hops=hops,
        readout=Readout(spec.output_size, "every"),
        memory=memory,
        dropout=dropout,
        options=unroll,
    )
