"""Pointer-generator with coverage: an answer's words are generated, or copied from the inputs."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells import Cell
from gru_research.cells.arguments import split
from gru_research.cells.checks import boolean, rate, whole
from gru_research.cells.initializers import GlorotUniform
from gru_research.layers import Bahdanau, Bidirectional, Embedding, Memory, Stack
from gru_research.layers.attention import masked_softmax
from gru_research.layers.noise import drop_steps
from gru_research.masks import length_mask
from gru_research.spec import Spec
from gru_research.time_loop import UnrollOptions
from gru_research.time_loop.options import check_options
from gru_research.types import Array, Batch, Carry, Params, PRNGKey

from .bridge import bridged, init_bridge

KERNEL_INIT = GlorotUniform()
LEAST = 1e-9
"""The probability of a word that the model can neither generate nor copy. With 0, one such word would hide all others
in a mean of logarithms."""
EMBEDDING_SCALE = 0.1


class Pointed(NamedTuple):
    """The outputs of a pointer-generator under teacher forcing.

    Attributes:
      logs: the logarithm of each target's probability, `[B, U]`.
      coverage: the coverage loss of each target, `[B, U]`: the sum over inputs of the smaller one of the weight and the
        coverage, which is the sum of the weights before.
    """

    logs: Array
    coverage: Array


class Reading(NamedTuple):
    """What a pointer-generator looks at for each target.

    Attributes:
      weights: of the inputs, `[B, U, T]`; 0 at the padding of either.
      generated: the probability of generating, not copying, `[B, U]`.
      copied: the share of the target's probability that comes from copying, `[B, U]`.
    """

    weights: Array
    generated: Array
    copied: Array


class State(NamedTuple):
    """A decoder between two tokens; every array has a leading batch axis.

    Attributes:
      carry: of the decoder's cell.
      context: what attention read last, `[B, E]`.
      coverage: the sum of all weights so far, `[B, T]`.
      memory: the encoder's outputs.
      tokens: the inputs, `[B, T]`, 0 at padding.
    """

    carry: Carry
    context: Array
    coverage: Array
    memory: Memory
    tokens: Array


class _Step(NamedTuple):
    """One step of the decoder: its input, state, context, weights and coverage before."""

    x: Array
    s: Array
    context: Array
    weights: Array
    coverage: Array


@dataclasses.dataclass(frozen=True)
class PointerGenerator:
    """An encoder reads the inputs, tokens x_1 to x_T; a decoder gives an answer token after token (See, Liu and Manning
    2017, arXiv 1704.04368):

        s_i = cell(s_{i-1}, [E[y_{i-1}]; c_{i-1}])
        score_it = v . tanh(s_i W_q + m_t W_m + cov_it w_c),  cov_i = a_1 + ... + a_{i-1}
        a_i = softmax of the scores over the real steps,  c_i = sum_t a_it m_t
        g_i = sigmoid([c_i; s_i; E[y_{i-1}]] w_g + b_g)
        p_i(w) = g_i softmax(tanh([s_i; c_i] W_u) W_o + b_o)[w] + (1 - g_i) sum over t with x_t = w of a_it

    m_t are the encoder's outputs. Only words w < G are generated. Words that training lacks have numbers from the
    embedding's vocabulary on: they are read as `unknown`, and can be copied. Unlike in the paper, the hidden layer
    before the softmax has a tanh, and with `tied` W_o is the transposed embedding of the generated words.

    A batch has `inputs [B, T]` and `lengths [B]`; for `apply`, `attend` and `read` also `targets [B, U]` and
    `target_lengths [B]`. Padding may hold anything: it reaches no real position and no gradient.

    Attributes:
      encoder: one layer; a `Bidirectional` ends with two carries, which a learned affine map makes one.
      cell: the decoder's.
      embedding: of the tokens of words that training has.
      attention: compares the decoder's states with the encoder's outputs.
      vocabulary: the number of all tokens, with those of words that training lacks.
      generated: G.
      begin: the token that the decoder reads first.
      unknown: the token that is read in place of a word that training lacks.
      tied: whether the readout's kernel is the embedding.
      dropout: the rate at which embeddings and what the readout reads are dropped, a new mask each step.
      options: how the encoder's time loop runs. The decoder's is one that JAX differentiates.
    """

    encoder: Stack
    cell: Cell
    embedding: Embedding
    attention: Bahdanau
    vocabulary: int
    generated: int
    begin: int
    unknown: int
    tied: bool = True
    dropout: float = 0.0
    options: UnrollOptions = UnrollOptions()

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """`embedding`, `encoder`, `bridge`, `decoder`, `attention` with `w_c (A,)`, `vector`, `gate` and `readout`."""
        del example
        keys = split(key, 8)
        memory, hidden, size = self.encoder.output_size, self.cell.hidden_size, self.embedding.size
        decoder = self.cell.init(keys[0], size + memory)
        carry = jax.eval_shape(lambda p: self.cell.initial_carry(p, ()), decoder)
        width = size if self.tied else hidden
        readout: dict[str, Array] = {"b": jnp.zeros(self.generated)}
        if not self.tied:
            readout["W"] = KERNEL_INIT(keys[7], (width, self.generated), jnp.float32)
        coverage = KERNEL_INIT(keys[4], (self.attention.size, 1), jnp.float32)[:, 0]
        return {
            "embedding": self.embedding.init(keys[1]),
            "encoder": self.encoder.init(keys[2], size),
            "bridge": init_bridge(keys[3], self.encoder.cells, [carry]),
            "decoder": decoder,
            "attention": {**self.attention.init(keys[4], hidden, memory), "w_c": coverage},
            "vector": {"W": KERNEL_INIT(keys[5], (hidden + memory, width), jnp.float32)},
            "gate": {"w": KERNEL_INIT(keys[6], (memory + hidden + size, 1), jnp.float32)[:, 0], "b": jnp.zeros(())},
            "readout": readout,
        }

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Pointed:
        """The targets' log-probabilities and their coverage loss; `key` draws dropout, None is evaluation. At the
        targets' padding they are finite and have no meaning."""
        step, tokens, targets, key = self._teach(params, batch, key)
        logits, gate = self._logits(params, step, key), self._gate(params, step)
        generated, copied = self._target(logits, gate, step.weights, tokens, targets)
        logs = jnp.log(jnp.maximum(generated + copied, LEAST))
        return Pointed(logs, jnp.minimum(step.weights, step.coverage).sum(-1))

    def read(self, params: Params, batch: Batch) -> Reading:
        """What the model looks at for each of the targets, at evaluation."""
        step, tokens, targets, _ = self._teach(params, batch, None)
        logits, gate = self._logits(params, step, None), self._gate(params, step)
        generated, copied = self._target(logits, gate, step.weights, tokens, targets)
        share = copied / jnp.maximum(generated + copied, LEAST)
        real = length_mask(batch["target_lengths"], targets.shape[1])
        weights = jnp.where(real[..., None], step.weights, 0)
        return Reading(weights, jnp.where(real, gate, 0), jnp.where(real, share, 0))

    def attend(self, params: Params, batch: Batch) -> Array:
        """The weights `[B, U, T]` with which the decoder reads the inputs for each target, 0 at the padding of
        either."""
        return self.read(params, batch).weights

    def start(self, params: Params, batch: Batch) -> tuple[State, Array]:
        """The state after the inputs and `begin`, and the logarithms `[B, V]` of the first token's probabilities."""
        state = self._encode(params, batch, None)
        return self.step(params, state, jnp.full(state.tokens.shape[:1], self.begin, jnp.int32))

    def step(self, params: Params, state: State, tokens: Array) -> tuple[State, Array]:
        """From the state and the tokens `[B]` chosen last to the next state and the logarithms `[B, V]` of the next
        token's probabilities."""
        x_BE = self.embedding.apply(params["embedding"], self._known(tokens))
        state, step = self._advance(params, state, x_BE)
        gate = self._gate(params, step)[:, None]
        generated = gate * jax.nn.softmax(self._logits(params, step, None))
        p_BV = jnp.zeros((tokens.shape[0], self.vocabulary), jnp.float32).at[:, : self.generated].set(generated)
        rows = jnp.arange(tokens.shape[0])[:, None]
        p_BV = p_BV.at[rows, state.tokens].add((1 - gate) * step.weights)
        return state, jnp.log(jnp.maximum(p_BV, LEAST))

    def _teach(self, params: Params, batch: Batch, key: PRNGKey | None) -> tuple[_Step, Array, Array, PRNGKey | None]:
        """All steps under teacher forcing, `[B, U, ...]`, the inputs, the targets, and a key for the readout."""
        keys: list[Any] = [None] * 3 if key is None else list(split(key, 3))
        state = self._encode(params, batch, keys[0])
        real = length_mask(batch["target_lengths"], batch["targets"].shape[1])
        targets = jnp.where(real, batch["targets"], 0)
        before = jnp.concatenate([jnp.full_like(targets[:, :1], self.begin), targets[:, :-1]], 1)
        xs_BUE = self._drop(keys[1], self.embedding.apply(params["embedding"], self._known(before)))

        def follow(carry: Any, x_BE: Array) -> Any:
            before = dict(zip(("carry", "context", "coverage"), carry, strict=True))
            after, step = self._advance(params, state._replace(**before), x_BE)
            return (after.carry, after.context, after.coverage), step

        first = (state.carry, state.context, state.coverage)
        _, steps = lax.scan(follow, first, jnp.moveaxis(xs_BUE, 1, 0))
        return jax.tree.map(lambda a: jnp.moveaxis(a, 0, 1), steps), state.tokens, targets, keys[2]

    def _encode(self, params: Params, batch: Batch, key: PRNGKey | None) -> State:
        """The decoder's first state."""
        lengths = batch["lengths"]
        real = length_mask(lengths, batch["inputs"].shape[1])
        tokens = jnp.where(real, batch["inputs"], 0)
        xs_BTE = self._drop(key, self.embedding.apply(params["embedding"], self._known(tokens)))
        (carry,), ys_BTE = self.encoder.apply(params["encoder"], xs_BTE, lengths=lengths, options=self.options)
        assert ys_BTE is not None
        attention = {name: params["attention"][name] for name in ("W_q", "W_m", "v")}
        memory = self.attention.prepare(attention, ys_BTE, real)
        carry = bridged(self.encoder.cells[0], params["bridge"][0], carry)
        context = jnp.zeros_like(memory.values[:, 0])
        return State(carry, context, jnp.zeros_like(memory.values[..., 0]), memory, tokens)

    def _advance(self, params: Params, state: State, x_BE: Array) -> tuple[State, _Step]:
        carry, s_BH = self.cell.step(params["decoder"], state.carry, jnp.concatenate([x_BE, state.context], -1))
        own = params["attention"]
        units = s_BH[:, None] @ own["W_q"] + state.memory.keys + state.coverage[..., None] * own["w_c"]
        weights = masked_softmax(jnp.tanh(units) @ own["v"], state.memory.real)
        context = jnp.einsum("bt,bte->be", weights, state.memory.values)
        step = _Step(x_BE, s_BH, context, weights, state.coverage)
        return State(carry, context, state.coverage + weights, state.memory, state.tokens), step

    def _logits(self, params: Params, step: _Step, key: PRNGKey | None) -> Array:
        """The logits `[..., G]` of the generated words."""
        u = self._drop(key, jnp.tanh(jnp.concatenate([step.s, step.context], -1) @ params["vector"]["W"]))
        kernel = params["embedding"]["E"][: self.generated].T if self.tied else params["readout"]["W"]
        return u @ kernel + params["readout"]["b"]

    def _gate(self, params: Params, step: _Step) -> Array:
        """g `[...]`, the probability of generating."""
        read = jnp.concatenate([step.context, step.s, step.x], -1)
        return jax.nn.sigmoid(read @ params["gate"]["w"] + params["gate"]["b"])

    def _target(self, logits: Array, gate: Array, weights: Array, tokens: Array, targets: Array) -> tuple[Array, Array]:
        """The two parts `[B, U]` of each target's probability: by generating and by copying."""
        words = jnp.minimum(targets, self.generated - 1)[..., None]
        chosen = jnp.take_along_axis(logits, words, -1)[..., 0] - jax.nn.logsumexp(logits, -1)
        generated = jnp.where(targets < self.generated, gate * jnp.exp(chosen), 0)
        same = tokens[:, None, :] == targets[..., None]
        return generated, (1 - gate) * jnp.where(same, weights, 0).sum(-1)

    def _known(self, tokens: Array) -> Array:
        """Tokens as they are read."""
        return jnp.where(tokens < self.embedding.vocabulary, tokens, self.unknown)

    def _drop(self, key: PRNGKey | None, xs: Array) -> Array:
        return xs if key is None or not self.dropout else drop_steps(key, self.dropout, xs, self.options)


def pointer(
    spec: Spec,
    cell: Cell,
    *,
    embedding_size: int = 128,
    attention_size: int = 128,
    tied: bool = True,
    dropout: float = 0.3,
    unroll: UnrollOptions = UnrollOptions(),
) -> PointerGenerator:
    """A `PointerGenerator` of `cell` for a task whose answers are generated from tokens and copied from them.

    Args:
      spec: the description of the task.
      cell: of the encoder, which has two directions, and of the decoder.
      embedding_size: of the tokens.
      attention_size: A, the size in which states and inputs are compared.
      tied: whether the readout's kernel is the embedding.
      dropout: the rate at which embeddings and what the readout reads are dropped.
      unroll: how the encoder's time loop runs; `outputs` and `time_major` are the model's own.

    Raises:
      ValueError: an option out of its range, or a task of another kind.
    """
    embedding_size = whole("embedding_size", embedding_size, 1)
    attention_size = whole("attention_size", attention_size, 1)
    tied, dropout = boolean("tied", tied), rate("dropout", dropout)
    check_options(unroll)
    if (unroll.outputs, unroll.time_major) != ("all", False):
        given = f"outputs={unroll.outputs!r}, time_major={unroll.time_major!r}"
        raise ValueError(f"unroll: {given} must be left alone, 'all' and False: the model sets them")
    how = spec.generation
    if how is None or not how.generated or spec.vocabulary is None or spec.unknown is None:
        raise ValueError("kind='pointer' needs a task whose answers are generated and copied, such as summarisation")
    decoder: Any = cell
    if getattr(cell, "learn_initial_carry", False):
        decoder = dataclasses.replace(decoder, learn_initial_carry=False)
    return PointerGenerator(
        encoder=Stack((Bidirectional(cell, cell),)),
        cell=decoder,
        embedding=Embedding(spec.vocabulary - how.slots, embedding_size, scale=EMBEDDING_SCALE),
        attention=Bahdanau(attention_size),
        vocabulary=spec.vocabulary,
        generated=how.generated,
        begin=how.begin,
        unknown=spec.unknown,
        tied=tied,
        dropout=dropout,
        options=unroll,
    )
