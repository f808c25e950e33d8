"""SegRNN: a recurrent forecaster that reads segments of a series and forecasts all segments in parallel."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells import Cell
from gru_research.cells.arguments import split
from gru_research.cells.base import product, promote_rank
from gru_research.cells.checks import boolean, rate, whole
from gru_research.cells.dtypes import cast_carry, promoted
from gru_research.cells.initializers import GlorotUniform
from gru_research.layers.noisy_cells import keep
from gru_research.spec import Spec
from gru_research.time_loop import UnrollOptions, unroll
from gru_research.time_loop.options import check_options
from gru_research.time_loop.scan import select
from gru_research.types import Array, Batch, Carry, Params, PRNGKey

KERNEL_INIT = GlorotUniform()


@dataclasses.dataclass(frozen=True)
class SegRNN:
    """Forecasts U steps of C series from T steps (Lin et al. 2023, arXiv 2308.11200). All series share the weights.

    A series x is read in segments of w steps, and forecast in ceil(U / w) segments. For input segment i and output
    segment j of series c, with the cell's `step` and the H units of the cell:

        s_i = x_{(i-1) w + 1 .. i w} - x_T                  the last value is subtracted
        e_i = relu(s_i W_e + b_e)                           H numbers
        carry_i, _ = step(carry_{i-1}, e_i)                 i = 1 .. T / w
        _, h_j = step(carry_{T / w}, [p_j; q_c])            one step for each j, all from the same carry
        y_j = x_T + dropout(h_j) W_y + b_y                  w steps, for each of Q outputs

    p_j is learned for each position, q_c for each series; each is half as long as e_i. Without `series_embedding` p_j
    is as long as e_i. T must be a multiple of w. Of the last output segment the first steps are returned, U in all.

    A batch holds `inputs [B, T, C]`, and where values may be missing `observed [B, T, C]`: a segment with a missing
    value is an unreal step of the cell, whose carry passes unchanged. x_T is then the last value observed, or 0.

    Attributes:
      segment: w.
      horizon, series, outputs: U, C and Q.
      dropout: the rate at which the units of h_j are dropped in training.
      options: how the loop over input segments runs.
    """

    cell: Cell
    segment: int
    horizon: int
    series: int
    outputs: int = 1
    dropout: float = 0.0
    series_embedding: bool = True
    options: UnrollOptions = UnrollOptions()

    @property
    def output_segments(self) -> int:
        return -(-self.horizon // self.segment)

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """`embedding`, `cell`, `positions`, `series` and `readout`; the shapes don't depend on the example."""
        del example
        embedding_key, cell_key, position_key, series_key, readout_key = split(key, 5)
        size, segment = self.cell.hidden_size, self.segment
        of_series = size // 2 if self.series_embedding else 0
        params: dict[str, Any] = {
            "embedding": _linear(embedding_key, segment, size),
            "cell": self.cell.init(cell_key, size),
            "positions": jax.random.normal(position_key, (self.output_segments, size - of_series), jnp.float32),
            "readout": _linear(readout_key, size, segment * self.outputs),
        }
        if self.series_embedding:
            params["series"] = jax.random.normal(series_key, (self.series, of_series), jnp.float32)
        return params

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Array:
        """Forecasts `[B, U, C, Q]`; `key` draws dropout, None is evaluation."""
        segments, mask, last_BC = self._segments(batch)
        rows = segments.shape[0] * segments.shape[1]
        embedded = jax.nn.relu(_apply(params["embedding"], segments))
        flat = embedded.reshape(rows, *embedded.shape[2:])
        masked = None if mask is None else mask.reshape(rows, -1)
        options = dataclasses.replace(self.options, outputs="none")
        carry, _ = unroll(self.cell, params["cell"], flat, mask=masked, options=options)
        return self._forecast(params, carry, last_BC, key)

    def start(self, params: Params, batch: Batch) -> tuple[Carry, Array]:
        """The cell's carry after the segments of `inputs`, `[B C, ...]`, and the last values `[B, C]`, read with the
        cell's `step`, one segment after the other; `forecast` continues from them."""
        segments, mask, last_BC = self._segments(batch)
        rows = segments.shape[0] * segments.shape[1]
        carry = self.cell.initial_carry(params["cell"], (rows,))
        for i in range(segments.shape[2]):
            x = jax.nn.relu(_apply(params["embedding"], segments[:, :, i])).reshape(rows, -1)
            after, _ = self.cell.step(params["cell"], carry, x)
            carry = after if mask is None else select(mask[:, :, i].reshape(rows), after, carry)
        return carry, last_BC

    def forecast(self, params: Params, state: tuple[Carry, Array]) -> Array:
        """Forecasts `[B, U, C, Q]` from the state that `start` returns."""
        return self._forecast(params, *state, key=None)

    def _segments(self, batch: Batch) -> tuple[Array, Array | None, Array]:
        """Segments `[B, C, T / w, w]` less the last value, which of them are without a gap, and the last values."""
        inputs = batch["inputs"]
        observed = batch.get("observed")
        last_BC = inputs[:, -1] if observed is None else last_observed(inputs, observed)
        if observed is not None:
            inputs = jnp.where(observed, inputs, last_BC[:, None])  # in a masked segment, which no step reads
        segments = self._in_segments(inputs - last_BC[:, None])
        return segments, None if observed is None else self._in_segments(observed).all(-1), last_BC

    def _in_segments(self, values: Array) -> Array:
        """`[B, T, C]` to `[B, C, T / w, w]`."""
        batch, time, series = values.shape
        return values.swapaxes(1, 2).reshape(batch, series, time // self.segment, self.segment)

    def _forecast(self, params: Params, carry: Carry, last_BC: Array, key: PRNGKey | None) -> Array:
        """One step from `carry`, of `[B C]` rows, for each output segment."""
        batch, series, count = len(last_BC), self.series, self.output_segments
        cell = params["cell"]
        # Positions need no carry: they are projected once, and not for every row of the batch.
        projected = self.cell.project(cell, self._positions(params))
        shape = (batch, series, count)
        projected = jax.tree.map(lambda a: jnp.broadcast_to(a, (batch, *a.shape)), projected)
        carry = jax.tree.map(
            lambda a: jnp.broadcast_to(a.reshape(batch, series, 1, *a.shape[1:]), (*shape, *a.shape[1:])),
            cast_carry(self.cell, cell, carry),
        )
        _, h = self.cell.combine(carry, self.cell.gates(cell, carry, projected))
        if key is not None and self.dropout:
            h = keep(h, jax.random.bernoulli(key, 1 - self.dropout, h.shape), self.dropout)
        y = _apply(params["readout"], h).reshape(batch, series, count * self.segment, self.outputs)
        return y[:, :, : self.horizon].swapaxes(1, 2) + last_BC[:, None, :, None]

    def _positions(self, params: Params) -> Array:
        """`[p_j; q_c]`, `[C, ceil(U / w), H]`."""
        positions = jnp.broadcast_to(params["positions"], (self.series, *params["positions"].shape))
        if not self.series_embedding:
            return positions
        own = params["series"][:, None]
        return jnp.concatenate([positions, jnp.broadcast_to(own, (*positions.shape[:2], own.shape[-1]))], -1)


def _linear(key: PRNGKey, inputs: int, outputs: int) -> dict[str, Array]:
    return {"W": KERNEL_INIT(key, (inputs, outputs), jnp.float32), "b": jnp.zeros(outputs, jnp.float32)}


def _apply(params: Params, x: Array) -> Array:
    return product(x, params["W"], promoted(x, params["W"])) + promote_rank(params["b"], x)


def last_observed(values: Array, observed: Array) -> Array:
    """The last value `[B, C]` of `values [B, T, C]` where `observed`; 0 where none is."""
    time = values.shape[1]
    last = time - 1 - jnp.argmax(observed[:, ::-1], 1)
    found = jnp.take_along_axis(values, last[:, None], 1)[:, 0]
    return jnp.where(observed.any(1), found, 0)


def check_forecast(kind: str, spec: Spec) -> tuple[int, int, int]:
    """Returns T, U and C. Raises ValueError where the task's examples aren't `inputs [T, C]` and `targets [U, C]`."""
    shapes = {name: spec.example[name].shape for name in ("inputs", "targets") if name in spec.example}
    (steps, series), (horizon, asked) = (
        shapes.get(name, ()) if len(shapes.get(name, ())) == 2 else (0, 0) for name in ("inputs", "targets")
    )
    if spec.answers is not None or not steps or series != asked:
        raise ValueError(
            f"kind={kind!r} needs a task with inputs [T, C], steps of C series, and targets [U, C], the next steps; "
            f"this one's are {', '.join(f'{name} {list(shape)}' for name, shape in shapes.items())}"
        )
    return steps, horizon, series


def segrnn(
    spec: Spec,
    cell: Cell,
    *,
    segment: int = 24,
    dropout: float = 0.0,
    series_embedding: bool = True,
    unroll: UnrollOptions = UnrollOptions(),
) -> SegRNN:
    """A `SegRNN` of `cell` for a task that forecasts series.

    Args:
      segment: the steps of a segment, of which the look-back must be a multiple.
      dropout: the rate at which the units before the readout are dropped.
      series_embedding: whether the decoder's inputs say which series it is.
      unroll: how the loop over segments runs; `outputs` and `time_major` are the model's own.

    Raises:
      ValueError: an option out of its range; a task that forecasts no series.
    """
    segment, dropout = whole("segment", segment, 1), rate("dropout", dropout)
    series_embedding = boolean("series_embedding", series_embedding)
    check_options(unroll)
    steps, horizon, series = check_forecast("segrnn", spec)
    if steps % segment:
        raise ValueError(f"segment={segment} must divide the look-back of {steps} steps")
    return SegRNN(cell, segment, horizon, series, spec.output_size, dropout, series_embedding, unroll)
