"""A model of several voices as one stream of tokens, in turn."""

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from gru_research.cells import Cell
from gru_research.layers import Embedding, Readout, Stack, real_steps
from gru_research.spec import Spec
from gru_research.time_loop import UnrollOptions
from gru_research.types import Array, Batch, Carry, Params, PRNGKey

from .sequence import last_real


class VoicesState(NamedTuple):
    """The state between two tokens: the carries of the layers, and `clock [B]`, the place of the token to predict."""

    carry: tuple[Carry, ...]
    clock: Array


@dataclasses.dataclass(frozen=True)
class VoicesModel:
    """Predicts the next token of a stream in which `voices` voices take turns: `inputs [B, T]` to logits `[B, T, V]`.

    At place p of the stream, voice `p % voices` sings in frame `p // voices`. The model reads the token before p, and
    knows the voice and the beat of p itself:

        x_p = E[token_{p-1}] + E_voice[p % voices] + E_beat[(p // voices) % beats]

    A batch may hold `clock [B]`, the place of each row's first prediction, 0 by default; `lengths [B]`, `mask` and
    `resets [B, T]` are as in `unroll`.
    """

    stack: Stack
    readout: Readout
    embedding: Embedding
    voices: int = 4
    beats: int = 16
    unroll: UnrollOptions = UnrollOptions()

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """Returns the parameters of the embeddings, the stack and the readout."""
        del example
        keys = jax.random.split(key, 5)
        size = self.embedding.size
        return {
            "embedding": self.embedding.init(keys[0]),
            "voice": Embedding(self.voices, size).init(keys[1]),
            "beat": Embedding(self.beats, size).init(keys[2]),
            "stack": self.stack.init(keys[3], size),
            "readout": self.readout.init(keys[4], self.stack.output_size),
        }

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Array:
        """Returns the logits `[B, T, V]` of the token that follows each input."""
        xs, streams = self._embedded(params, batch)
        _, ys = self.stack.apply(params["stack"], xs, key=key, options=self.unroll, **streams)
        assert ys is not None
        return self.readout.apply(params["readout"], ys[..., -1, :], ys)

    def start(self, params: Params, batch: Batch) -> tuple[VoicesState, Array]:
        """Returns the state after the tokens `inputs [B, T]` and the next one's logits `[B, V]`."""
        xs, streams = self._embedded(params, batch)
        carry, ys = self.stack.apply(params["stack"], xs, options=self.unroll, **streams)
        assert ys is not None
        real = real_steps(xs.shape[-2], streams["lengths"], streams["mask"])
        read = xs.shape[-2] if real is None else real.sum(-1)
        return VoicesState(carry, self._clock(batch) + read), self._logits(params, last_real(ys, real))

    def step(self, params: Params, state: VoicesState, tokens: Array) -> tuple[VoicesState, Array]:
        """Returns the state after one more token `[B]`, and the next one's logits `[B, V]`."""
        x = self._vectors(params, tokens, state.clock)
        carry, y = self.stack.step(params["stack"], state.carry, x)
        return VoicesState(carry, state.clock + 1), self._logits(params, y)

    def _embedded(self, params: Params, batch: Batch) -> tuple[Array, dict[str, Any]]:
        """Returns the vectors `[B, T, E]` that the bottom layer reads, and the streams of `unroll` in the batch."""
        tokens = jnp.asarray(batch["inputs"])
        places = self._clock(batch)[:, None] + jnp.arange(tokens.shape[-1], dtype=jnp.int32)
        streams = {name: batch.get(name) for name in ("lengths", "mask", "resets")}
        return self._vectors(params, tokens, places), streams

    def _vectors(self, params: Params, tokens: Array, places: Array) -> Array:
        """Returns the vectors `[..., E]` of the tokens before `places [...]`."""
        voice = jnp.take(params["voice"]["E"], places % self.voices, axis=0)
        beat = jnp.take(params["beat"]["E"], places // self.voices % self.beats, axis=0)
        return self.embedding.apply(params["embedding"], tokens) + voice + beat

    def _clock(self, batch: Batch) -> Array:
        clock = batch.get("clock")
        rows = jnp.asarray(batch["inputs"]).shape[0]
        return jnp.zeros(rows, jnp.int32) if clock is None else jnp.asarray(clock, jnp.int32)

    def _logits(self, params: Params, y: Array) -> Array:
        return self.readout.apply(params["readout"], y, y[..., None, :])[..., 0, :]


def voices(
    spec: Spec,
    cell: Cell,
    *,
    layers: int = 2,
    embedding_size: int = 64,
    voices: int = 4,
    beats: int = 16,
    connections: Literal["plain", "residual", "highway"] = "plain",
    dropout: float = 0.0,
    unroll: UnrollOptions = UnrollOptions(),
) -> VoicesModel:
    """Builds a stack of `layers` cells on embeddings of token, voice and beat, with a linear readout at every step.

    Args:
      embedding_size: the size of the three embeddings, which are added.
      voices: the number of voices that take turns in the stream.
      beats: the frames after which the metre repeats: 16 sixteenths are a bar of four quarters.
      connections, dropout: between layers.
      unroll: how the time loop runs; `outputs` and `time_major` are the model's own.

    Raises:
      ValueError: an option is out of range, or the task doesn't predict the next token at every step.
    """
    for field, value in {"layers": layers, "embedding_size": embedding_size, "voices": voices, "beats": beats}.items():
        if value < 1:
            raise ValueError(f"{field}={value!r} must be at least 1")
    if unroll.time_major or unroll.outputs != "all":
        raise ValueError("unroll.time_major and unroll.outputs are the model's own: leave them out")
    if spec.answers != "every" or not spec.vocabulary:
        raise ValueError("kind='voices' predicts a token at every step, which the task doesn't ask for")
    stack = Stack((cell,) * layers, dropout, connections)
    readout = Readout(spec.output_size, "every")
    return VoicesModel(stack, readout, Embedding(spec.vocabulary, embedding_size), voices, beats, unroll)
