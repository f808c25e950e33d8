"""The sequence model: an embedding for tokens, a stack of cells, a linear readout."""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from gru_research.cells import Cell
from gru_research.cells.checks import rate
from gru_research.layers import (
    READOUTS,
    AttentionPooling,
    Bidirectional,
    Embedding,
    Noise,
    OneHot,
    Readout,
    Stack,
    has_cell_state,
    real_steps,
)
from gru_research.spec import Spec
from gru_research.time_loop import UnrollOptions
from gru_research.types import Array, Batch, Carry, Params, PRNGKey

_OWN_NOISE = 2**32 - 1


@dataclasses.dataclass(frozen=True)
class SequenceModel:
    """`inputs [B, T, I]`, or tokens `[B, T]` with an embedding, to outputs `[B, C]` or `[B, T, C]`.

    A batch may hold `lengths [B]`, `mask` and `resets [B, T]`, as `unroll` takes them. The "last" state is the top
    layer's after each row's last real step; of a `Bidirectional`, each direction's after the last step that it takes,
    merged. Where the outputs are logits of the next token, it generates, after the tokens of a batch's inputs.

    Attributes:
      word_dropout: the rate at which tokens become `unknown` in training, a new draw for each token.

    Raises:
      ValueError: the "last" state of a `Bidirectional` with residual or highway connections, which is none.
    """

    stack: Stack
    readout: Readout
    embedding: Embedding | OneHot | None = None
    unroll: UnrollOptions = UnrollOptions()
    word_dropout: float = 0.0
    unknown: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "word_dropout", rate("word_dropout", self.word_dropout))
        if self.word_dropout and self.unknown is None:
            raise ValueError(f"word_dropout={self.word_dropout!r} needs tokens with one for unknown words")
        top, connections = self.stack.cells[-1], self.stack.connections
        if self.readout.mode == "last" and connections != "plain" and isinstance(top, Bidirectional):
            raise ValueError(
                f"readout='last' with connections={connections!r} isn't defined for a Bidirectional, whose directions "
                f"end at two steps; choose from {', '.join(m for m in READOUTS if m != 'last')}"
            )

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """Parameters of the embedding, the stack and the readout; `example["inputs"]` gives the shape."""
        embedding_key, stack_key, readout_key = jax.random.split(key, 3)
        params = {}
        input_size = example["inputs"].shape[-1]
        if self.embedding:
            params["embedding"] = self.embedding.init(embedding_key)
            input_size = self.embedding.size
        params["stack"] = self.stack.init(stack_key, input_size)
        params["readout"] = self.readout.init(readout_key, self.stack.output_size)
        return params

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Array:
        """Outputs in the parameters' type; `key` draws the noise of training, None is evaluation."""
        # The stack splits `key`, whose parts are those of small numbers folded into it.
        word_key, readout_key = (None, None) if key is None else jax.random.split(jax.random.fold_in(key, _OWN_NOISE))
        xs = batch["inputs"]
        if self.word_dropout and word_key is not None:
            assert self.unknown is not None
            xs = jnp.where(jax.random.bernoulli(word_key, self.word_dropout, xs.shape), self.unknown, xs)
        if self.embedding:
            xs = self.embedding.apply(params["embedding"], xs)
        lengths, mask, resets = batch.get("lengths"), batch.get("mask"), batch.get("resets")
        around = self.stack.connections != "plain"
        options = dataclasses.replace(self.unroll, outputs="all" if around else self.readout.outputs)
        carries, ys = self.stack.apply(
            params["stack"], xs, key=key, lengths=lengths, mask=mask, resets=resets, options=options
        )
        real = real_steps(xs.shape[-2], lengths, mask)
        # What a connection adds to the top layer's state is in its outputs and not in its carry.
        last = last_real(ys, real) if around and ys is not None else self.stack.hidden(carries)
        return self.readout.apply(params["readout"], last, ys, real, readout_key)

    @property
    def bidirectional(self) -> bool:
        """Whether an output depends on steps behind its own."""
        return any(isinstance(layer, Bidirectional) for layer in self.stack.cells)

    @property
    def no_generation(self) -> str | None:
        """Why it can't generate, as the end of a sentence that begins with the model; None where it can."""
        if self.embedding is None:
            return "reads numbers and not tokens"
        if self.embedding.vocabulary != self.readout.size or self.readout.mode != "every":
            return "doesn't give the next token's logits at every step"
        if self.bidirectional:
            return "is bidirectional: it reads the end of a sequence first"
        return None

    def start(self, params: Params, batch: Batch) -> tuple[tuple[Carry, ...], Array]:
        """The state after the tokens `inputs [B, T]` and the next one's logits `[B, V]`; `lengths`, `mask` and `resets`
        are read as in `apply`. Raises ValueError where the model can't generate."""
        self._check_generation()
        tokens = jnp.asarray(batch["inputs"])
        lengths, mask, resets = batch.get("lengths"), batch.get("mask"), batch.get("resets")
        assert self.embedding is not None
        xs = self.embedding.apply(params["embedding"], tokens)
        carry, ys = self.stack.apply(
            params["stack"], xs, lengths=lengths, mask=mask, resets=resets, options=self.unroll
        )
        assert ys is not None
        return carry, self._logits(params, last_real(ys, real_steps(tokens.shape[-1], lengths, mask)))

    def begin(self, params: Params, rows: int) -> tuple[Carry, ...]:
        """The state before the first of a stream of inputs, for B = `rows` streams."""
        self._check_stream()
        return self.stack.initial_carry(params["stack"], (rows,))

    def step(self, params: Params, state: tuple[Carry, ...], tokens: Array) -> tuple[tuple[Carry, ...], Array]:
        """The state behind one more token `[B]` or input `[B, I]`, and the outputs there `[B, C]`: of a language model
        the next token's logits. Raises ValueError where the model has no outputs at every step, or reads backward."""
        self._check_stream()
        x = tokens if self.embedding is None else self.embedding.apply(params["embedding"], tokens)
        carry, y = self.stack.step(params["stack"], state, x)
        return carry, self._logits(params, y)

    def _logits(self, params: Params, y: Array) -> Array:
        """Of one step's output `[B, H]`."""
        return self.readout.apply(params["readout"], y, y[..., None, :])[..., 0, :]

    def _check_stream(self) -> None:
        if self.bidirectional or self.readout.mode != "every":
            reason = "is bidirectional" if self.bidirectional else "has no outputs at every step"
            raise ValueError(f"this SequenceModel can't read a stream: it {reason}")

    def _check_generation(self) -> None:
        if reason := self.no_generation:
            raise ValueError(f"this SequenceModel can't generate: it {reason}")


def sequence(
    spec: Spec,
    cell: Cell,
    *,
    layers: int = 1,
    readout: Literal["task", "last", "mean", "attention", "every"] = "task",
    attention_size: int = 64,
    embedding_size: int = 64,
    embedding_scale: float = 1.0,
    bidirectional: bool = False,
    merge: Literal["concat", "sum", "mean", "product"] = "concat",
    connections: Literal["plain", "residual", "highway"] = "plain",
    dropout: float = 0.0,
    readout_dropout: float = 0.0,
    word_dropout: float = 0.0,
    input_dropout: float = 0.0,
    state_dropout: float = 0.0,
    zoneout: float = 0.0,
    zoneout_cell: float = 0.0,
    drop_connect: float = 0.0,
    weight_noise: float = 0.0,
    unroll: UnrollOptions = UnrollOptions(),
) -> SequenceModel:
    """An embedding for tokens, `layers` cells on top of each other, and a linear readout.

    Args:
      readout: from the "last" step, the "mean" over time, the mean weighted by "attention" or "every" step; "task"
        takes the one of the task.
      attention_size: the number of hidden units that score a step for readout="attention".
      embedding_size: of tokens; 0 makes them one-hot.
      embedding_scale: the standard deviation of embeddings before training.
      bidirectional: makes each layer two cells of the given size, whose outputs become one by `merge`.
      connections, dropout: between layers.
      readout_dropout: of the states that the readout reads.
      word_dropout: of tokens, which become the task's token for unknown words.
      input_dropout, state_dropout, zoneout, zoneout_cell, drop_connect, weight_noise: the noise of training in every
        layer, as `layers.Noise` has it; `zoneout_cell` is for cells that have a cell state, and left out for others.
      unroll: how the time loop runs; `outputs` and `time_major` are the model's own.

    Raises:
      ValueError: an option out of its range, or one that doesn't fit the task.
    """
    if layers < 1:
        raise ValueError(f"layers={layers!r} must be at least 1")
    if unroll.time_major or unroll.outputs != "all":
        raise ValueError("unroll.time_major and unroll.outputs are the model's own: leave them out")
    mode = _readout_mode(spec, readout)
    embedding = _embedding(spec, embedding_size, embedding_scale)
    noise = Noise(
        input_dropout=input_dropout,
        state_dropout=state_dropout,
        zoneout=zoneout,
        zoneout_cell=zoneout_cell if zoneout_cell and has_cell_state(cell) else 0.0,
        drop_connect=drop_connect,
        weight_noise=weight_noise,
    )
    if word_dropout and spec.unknown is None:
        raise ValueError(f"word_dropout={word_dropout!r} is for tasks with a token for unknown words; this has none")
    layer = Bidirectional(cell, cell, merge) if bidirectional else cell
    stack = Stack((layer,) * layers, dropout, connections, noise)
    return SequenceModel(
        stack,
        Readout(
            spec.output_size,
            mode,
            dropout=readout_dropout,
            pooling=AttentionPooling(attention_size) if mode == "attention" else None,
        ),
        embedding,
        unroll,
        word_dropout,
        spec.unknown,
    )


def _readout_mode(spec: Spec, readout: str) -> str:
    """Returns the mode of the readout, "task" replaced. Raises ValueError if it doesn't fit the task."""
    if spec.answers == "generated":
        raise ValueError("kind='sequence' can't generate, which the task asks for; kind='encoder_decoder' can")
    mode = spec.answers if readout == "task" else readout
    if mode not in READOUTS or (mode == "every") != (spec.answers == "every"):
        raise ValueError(f"readout={readout!r} doesn't fit the task, whose answers are {spec.answers!r}")
    return mode


def _embedding(spec: Spec, size: int, scale: float) -> Embedding | OneHot | None:
    """Returns the embedding of a task's tokens, None if it has none. Raises ValueError for options out of range."""
    if size < 0:
        raise ValueError(f"embedding_size={size!r} must be 0 (one-hot) or more")
    if not scale > 0 or (scale != 1 and not size):
        raise ValueError(f"embedding_scale={scale!r} must be above 0, and is for embeddings, which aren't one-hot")
    if not spec.vocabulary:
        return None
    return Embedding(spec.vocabulary, size, scale=scale) if size else OneHot(spec.vocabulary)


def last_real(ys: Array, real: Array | None) -> Array:
    """`ys [..., T, H]` at each row's last step, `real [..., T]` (None: all are); 0 in a row without one, as `ys` is."""
    if real is None:
        return ys[..., -1, :]
    steps = real.shape[-1]
    last = steps - 1 - jnp.argmax(real[..., ::-1], -1)
    return jnp.take_along_axis(ys, last[..., None, None], -2)[..., 0, :]
