"""Encoder and decoder: from one sequence to another, with or without attention."""

import dataclasses
import math
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from gru_research.cells import Cell
from gru_research.cells.arguments import check_inputs, split
from gru_research.cells.base import product, promote_rank
from gru_research.cells.checks import boolean, one_of, rate, whole
from gru_research.cells.dtypes import promoted
from gru_research.layers import Bahdanau, Bidirectional, Embedding, Luong, Memory, OneHot, Readout, Stack
from gru_research.layers.noise import drop_steps
from gru_research.masks import length_mask
from gru_research.spec import Spec
from gru_research.time_loop import UnrollOptions
from gru_research.time_loop.options import check_options
from gru_research.time_loop.sharding import divided_rows
from gru_research.types import Array, Batch, Carry, Params, PRNGKey

from .bridge import bridged, init_bridge
from .decoder import Decoder

READS = ("inputs", "lengths", "targets", "target_lengths")
"""The fields of a batch that the model reads; others are the task's."""
AttentionName = Literal["none", "bahdanau", "luong"]


class State(NamedTuple):
    """A decoder between two tokens; every array has a leading batch axis.

    Attributes:
      carry: one a layer.
      memory: the encoder's outputs; None without attention.
    """

    carry: tuple[Carry, ...]
    memory: Memory | None


@dataclasses.dataclass(frozen=True)
class EncoderDecoder:
    """An encoder reads the inputs; a decoder starts from its last carries and gives an answer token after token
    (Sutskever, Vinyals and Le 2014, arXiv 1409.3215; Cho et al. 2014, arXiv 1406.1078). `Decoder` has the equations.

    A batch holds `inputs [B, T]` (tokens) or `[B, T, I]` (vectors) and `lengths [B]`; for `apply` and `attend` also
    `targets [B, U]`, each of which ends with the end token, and `target_lengths [B]`, which count it. Without lengths
    every step is real. Padding may hold anything, NaN and numbers that are no tokens too: it reaches no real position
    and no gradient.

    Attributes:
      encoder: cells, or `Bidirectional`s. What a `Bidirectional` ends with, `[forward; backward]` for each part of the
        carry, becomes the decoder's by a learned affine map: an LSTM's c from both c, its h from both h. There is no
        tanh around it, as an LSTM's c has no bounds.
      decoder: as many layers of the same cell.
      begin: the token that the decoder reads first.
      target: the embedding of answers' tokens.
      readout: from v to the logits of the answers' vocabulary.
      source: the embedding of inputs that are tokens; None: inputs are vectors.
      tied: whether the readout's kernel is the target embedding, transposed (Press and Wolf 2017, arXiv 1608.05859). v
        then has its size E. Its entries are drawn from N(0, 1 / E), and what the decoder reads is multiplied by the
        root of E (Vaswani et al. 2017, arXiv 1706.03762, section 3.4). Entries from N(0, 1) with divided logits are the
        same function, but Adam's steps are then smaller beside them by the root of E.
      dropout: the rate at which embeddings and v are dropped, a new mask each step. The stacks drop between layers.
      options: how the time loops run. The loop with `Bahdanau` in it is one that JAX differentiates, whatever
        `backend` is.
    """

    encoder: Stack
    decoder: Decoder
    begin: int
    target: Embedding | OneHot
    readout: Readout
    source: Embedding | OneHot | None = None
    tied: bool = False
    dropout: float = 0.0
    options: UnrollOptions = UnrollOptions()

    @property
    def no_attention(self) -> str | None:
        """Why there are no weights to look at; None where there are."""
        return None if self.decoder.attention else "attention='none' gives no weights: choose from bahdanau, luong"

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """`source`, `encoder`, `bridge`, `target`, `decoder` and `readout`: those there are.

        `example["inputs"]` gives the number of features where inputs are vectors.
        """
        source_key, encoder_key, bridge_key, target_key, decoder_key, readout_key = split(key, 6)
        params: dict[str, Any] = {"target": self.target.init(target_key)}
        input_size = example["inputs"].shape[-1]
        if self.source is not None:
            params["source"], input_size = self.source.init(source_key), self.source.size
        params["encoder"] = self.encoder.init(encoder_key, input_size)
        params["decoder"] = self.decoder.init(decoder_key, self.target.size)
        carries = jax.eval_shape(lambda p: self.decoder.stack.initial_carry(p, ()), params["decoder"]["stack"])
        params["bridge"] = init_bridge(bridge_key, self.encoder.cells, carries)
        params["readout"] = self.readout.init(readout_key, self.decoder.size)
        if self.tied:
            del params["readout"]["W"]
            params["target"] = {"E": params["target"]["E"] / math.sqrt(self.target.size)}
        return params

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Array:
        """The logits `[B, U, V]` of the targets' tokens, each from those before it; `key` draws dropout, None is
        evaluation. At the targets' padding they are finite and have no meaning.

        Raises:
          ValueError: `inputs` or `targets` are missing, or arrays have other numbers of rows.
        """
        batch = _read(batch, "inputs", "targets")
        keys = [None] * 5 if key is None else list(split(key, 5))
        state = self._encode(params, batch, keys[0], keys[1])
        xs_BUE, lengths = self._teach(params, batch, keys[2])
        vs_BUR = self.decoder.apply(
            params["decoder"], *state, xs_BUE, key=keys[3], lengths=lengths, options=self.options
        )
        return self._logits(params, self._drop(keys[4], vs_BUR))

    def start(self, params: Params, batch: Batch) -> tuple[State, Array]:
        """The state after the inputs and `begin`, and the logits `[B, V]` of the first token."""
        batch = _read(batch, "inputs")
        begin = jnp.full(batch["inputs"].shape[:1], self.begin, jnp.int32)
        return self.step(params, self._encode(params, batch, None, None), begin)

    def step(self, params: Params, state: State, tokens: Array) -> tuple[State, Array]:
        """From the state and the tokens `[B]` chosen last to the next state and the next token's logits `[B, V]`."""
        x_BE = self._read_target(self.target.apply(params["target"], tokens))
        carry, v_BR = self.decoder.step(params["decoder"], *state, x_BE)
        return State(carry, state.memory), self._logits(params, v_BR)

    def attend(self, params: Params, batch: Batch) -> Array:
        """The weights `[B, U, T]` with which the decoder reads the inputs for each of the targets' tokens, 0 at the
        padding of either.

        Raises:
          ValueError: a model without attention.
        """
        if reason := self.no_attention:
            raise ValueError(reason)
        batch = _read(batch, "inputs", "targets")
        state = self._encode(params, batch, None, None)
        assert state.memory is not None
        xs_BUE, lengths = self._teach(params, batch, None)
        weights_BUT = self.decoder.weights(
            params["decoder"], state.carry, state.memory, xs_BUE, lengths=lengths, options=self.options
        )
        real_BU = _real(lengths, weights_BUT.shape[-2])
        return weights_BUT if real_BU is None else jnp.where(real_BU[..., None], weights_BUT, 0)

    def _encode(self, params: Params, batch: Batch, drop_key: PRNGKey | None, key: PRNGKey | None) -> State:
        """The decoder's first state."""
        lengths = batch.get("lengths")
        xs = batch["inputs"]
        if self.source is not None:
            xs = self._embed(self.source, params["source"], xs, lengths, drop_key)
        attention = self.decoder.attention
        options = self.options if attention else dataclasses.replace(self.options, outputs="none")
        carries, ys_BTE = self.encoder.apply(params["encoder"], xs, key=key, lengths=lengths, options=options)
        carry = tuple(bridged(*layer) for layer in zip(self.encoder.cells, params["bridge"], carries, strict=True))
        if attention is None:
            return State(carry, None)
        assert ys_BTE is not None
        memory = attention.prepare(params["decoder"]["attention"], ys_BTE, _real(lengths, ys_BTE.shape[-2]))
        return State(carry, memory)

    def _teach(self, params: Params, batch: Batch, key: PRNGKey | None) -> tuple[Array, Array | None]:
        """What the decoder reads under teacher forcing, `[B, U, E]`, and the lengths."""
        targets_BU, lengths = batch["targets"], batch.get("target_lengths")
        read_BU = jnp.concatenate([jnp.full_like(targets_BU[:, :1], self.begin), targets_BU[:, :-1]], 1)
        return self._read_target(self._embed(self.target, params["target"], read_BU, lengths, key)), lengths

    def _read_target(self, xs: Array) -> Array:
        """What the decoder reads of target embeddings `[..., E]`."""
        return xs * math.sqrt(self.target.size) if self.tied else xs

    def _embed(
        self, embedding: Embedding | OneHot, params: Params, tokens: Array, lengths: Array | None, key: PRNGKey | None
    ) -> Array:
        """The embeddings of `tokens [B, T]`, of which padding is none."""
        real = _real(lengths, tokens.shape[-1])
        return self._drop(key, embedding.apply(params, tokens if real is None else jnp.where(real, tokens, 0)))

    def _drop(self, key: PRNGKey | None, xs: Array) -> Array:
        """Dropout on `[B, T, E]`."""
        return xs if key is None or not self.dropout else drop_steps(key, self.dropout, xs, self.options)

    def _logits(self, params: Params, vs: Array) -> Array:
        """The logits `[..., V]` of v `[..., R]`."""
        if not self.tied:
            return self.readout.apply(params["readout"], vs, vs)
        table, bias = params["target"]["E"], params["readout"]["b"]
        return product(vs, table.T, promoted(vs, table)) + promote_rank(bias, vs)


def _read(batch: Batch, *needed: str) -> dict[str, Array]:
    """What the model reads of a batch, as arrays whose types, where they divide rows, all divide them alike.

    Raises ValueError where something `needed` isn't there, or numbers of rows differ.
    """
    if missing := [name for name in needed if name not in batch]:
        raise ValueError(f"batch has no {missing[0]!r}: it has {', '.join(map(str, batch)) or 'nothing'}")
    own = {name: check_inputs(name, batch[name]) for name in READS if name in batch}
    if len({a.shape[:1] for a in own.values()}) > 1:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in own.items())
        raise ValueError(f"batch must have one number of rows, here it has {shapes}")
    rows = divided_rows([(own, 0)], 1)
    return own if rows is None else rows.place(own)


def _real(lengths: Array | None, time: int) -> Array | None:
    """`[B, T]`, True within a row's length; None: everywhere."""
    return None if lengths is None else length_mask(lengths, time)


def encoder_decoder(
    spec: Spec,
    cell: Cell,
    *,
    layers: int = 1,
    bidirectional: bool = False,
    attention: AttentionName = "bahdanau",
    embedding_size: int = 64,
    tied: bool = False,
    dropout: float = 0.0,
    unroll: UnrollOptions = UnrollOptions(),
) -> EncoderDecoder:
    """An `EncoderDecoder` of `cell` for a task whose answers are generated.

    Args:
      spec: the description of the task.
      cell: of all layers. The decoder's first carry is the encoder's last, so that it learns none of its own.
      layers: how many the encoder has, and the decoder.
      bidirectional: whether the encoder reads in both directions.
      attention: "none"; "bahdanau", additive, with as many hidden units as the cell; or "luong", "general" scores.
      embedding_size: of the inputs' and the answers' tokens; 0: one-hot.
      tied: whether the readout's kernel is the answers' embedding.
      dropout: the rate at which embeddings, inputs of layers above the first and what the readout reads are dropped.
      unroll: how time loops run; `outputs` and `time_major` are the model's own.

    Raises:
      ValueError: an option out of its range; a task whose answers aren't generated, or whose inputs don't fit its
        vocabulary; `tied` with one-hot tokens.
    """
    layers, embedding_size = whole("layers", layers, 1), whole("embedding_size", embedding_size, 0)
    bidirectional, tied = boolean("bidirectional", bidirectional), boolean("tied", tied)
    dropout = rate("dropout", dropout)
    one_of("attention", attention, get_args(AttentionName))
    check_options(unroll)
    if (unroll.outputs, unroll.time_major) != ("all", False):
        given = f"outputs={unroll.outputs!r}, time_major={unroll.time_major!r}"
        raise ValueError(f"unroll: {given} must be left alone, 'all' and False: the model sets them")
    if tied and not embedding_size:
        raise ValueError("tied=True needs an embedding to share: embedding_size=0 is one-hot; choose at least 1")
    _check_spec(spec)
    assert spec.generation is not None
    decoder_cell: Any = cell
    if getattr(cell, "learn_initial_carry", False):
        decoder_cell = dataclasses.replace(decoder_cell, learn_initial_carry=False)
    between = dropout if layers > 1 else 0.0
    encoder = Stack(((Bidirectional(cell, cell) if bidirectional else cell),) * layers, between)
    hidden = cell.hidden_size
    attentions = {"none": None, "bahdanau": Bahdanau(hidden), "luong": Luong()}
    size = embedding_size if tied else hidden
    return EncoderDecoder(
        encoder=encoder,
        decoder=Decoder(decoder_cell, encoder.output_size, size, layers, attentions[attention], between),
        begin=spec.generation.begin,
        target=_embedding(spec.output_size, embedding_size),
        readout=Readout(spec.output_size, "every"),
        source=None if spec.vocabulary is None else _embedding(spec.vocabulary, embedding_size),
        tied=tied,
        dropout=dropout,
        options=unroll,
    )


def _embedding(vocabulary: int, size: int) -> Embedding | OneHot:
    return Embedding(vocabulary, size) if size else OneHot(vocabulary)


def _check_spec(spec: Spec) -> None:
    if spec.answers != "generated":
        raise ValueError(
            f"kind='encoder_decoder' needs a task with answers='generated'; this one's are {spec.answers!r}"
        )
    inputs, tokens = spec.example["inputs"], spec.vocabulary is not None
    if len(inputs.shape) != (1 if tokens else 2):
        wanted = f"[T], tokens of vocabulary={spec.vocabulary}" if tokens else "[T, I], as it has no vocabulary"
        raise ValueError(
            f"kind='encoder_decoder' reads inputs of the shape {wanted}; this task's are {tuple(inputs.shape)}"
        )
