"""The model of an experiment: embedding for tokens, a stack of cells, a linear readout.

Any pair `init(key, example) -> params`, `apply(params, batch, key) -> outputs` can stand in its place.
"""

import dataclasses

import jax
import jax.numpy as jnp

from gru_research.layers import READOUTS, Bidirectional, Embedding, OneHot, Readout, Stack
from gru_research.time_loop import UnrollOptions
from gru_research.types import Array, Batch, Params, PRNGKey


@dataclasses.dataclass(frozen=True)
class SequenceModel:
    """`inputs [B, T, I]`, or tokens `[B, T]` with an embedding, to outputs `[B, C]` or `[B, T, C]`.

    A batch may hold `lengths [B]`, `mask` and `resets [B, T]`, as `unroll` takes them. The "last" state is the top
    layer's after each row's last real step; of a `Bidirectional`, each direction's after the last step that it takes,
    merged.

    Raises:
      ValueError: the "last" state of a `Bidirectional` with residual or highway connections, which is none.
    """

    stack: Stack
    readout: Readout
    embedding: Embedding | OneHot | None = None

    def __post_init__(self) -> None:
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
        xs = batch["inputs"]
        if self.embedding:
            xs = self.embedding.apply(params["embedding"], xs)
        lengths, mask, resets = batch.get("lengths"), batch.get("mask"), batch.get("resets")
        around = self.stack.connections != "plain"
        options = UnrollOptions(outputs="all" if around else self.readout.outputs)
        carries, ys = self.stack.apply(
            params["stack"], xs, key=key, lengths=lengths, mask=mask, resets=resets, options=options
        )
        real = None
        if lengths is not None:
            real = jnp.arange(xs.shape[-2]) < lengths[..., None]
        if mask is not None:
            real = mask if real is None else real & mask
        # What goes around the top layer is in its outputs and not in its carry.
        last = last_real(ys, real) if around and ys is not None else self.stack.hidden(carries)
        return self.readout.apply(params["readout"], last, ys, real)


def last_real(ys: Array, real: Array | None) -> Array:
    """`ys [..., T, H]` at each row's last step, `real [..., T]` (None: all are); 0 in a row without one, as `ys` is."""
    if real is None:
        return ys[..., -1, :]
    steps = real.shape[-1]
    last = steps - 1 - jnp.argmax(real[..., ::-1], -1)
    return jnp.take_along_axis(ys, last[..., None, None], -2)[..., 0, :]


def count_parameters(model: SequenceModel, example: Batch) -> int:
    """How many numbers are trained, readout included; nothing is computed."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), example)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))
