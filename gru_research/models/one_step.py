"""A forecaster of the next step alone, which reaches further by reading its own forecasts."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells import Cell
from gru_research.cells.arguments import split
from gru_research.cells.base import product, promote_rank
from gru_research.cells.checks import boolean
from gru_research.cells.dtypes import promoted
from gru_research.cells.initializers import GlorotUniform
from gru_research.spec import Spec
from gru_research.time_loop import UnrollOptions, unroll
from gru_research.time_loop.options import check_options
from gru_research.types import Array, Batch, Carry, Params, PRNGKey

from .segrnn import check_forecast, last_observed

KERNEL_INIT = GlorotUniform()
EMBEDDING = 8
"""The most numbers that say which series it is."""


class State(NamedTuple):
    """A forecaster between two steps.

    Attributes:
      carry: the cell's, a leaf `[B, C, ...]`: a row for each series.
      last: `[B, C]`, the last value observed; 0 before the first.
    """

    carry: Carry
    last: Array


@dataclasses.dataclass(frozen=True)
class OneStep:
    """Forecasts the next step of C series, each on its own with shared weights:

        carry_t, h_t = step(carry_{t-1}, [x_t; q_c])
        y_{t+1} = x_t + h_t W_y + b_y                       for each of Q outputs

    q_c is learned for each series. In training, and only there, steps T + 2, T + 3, ... are forecast after the true
    values of the steps before (teacher forcing). Otherwise each is forecast after the forecasts of the steps before,
    of which the middle output is read. Quantiles are thus quantiles of one step, and too close together further ahead.

    A batch holds `inputs [B, T, C]`, and where values may be missing `observed [B, T, C]`: the carry passes a missing
    value unchanged, and x_t is the last one observed. In training it also holds `targets [B, U, C]`, and `wanted`.

    Attributes:
      horizon, series, outputs: U, C and Q.
      options: how the loop over given values runs.
    """

    cell: Cell
    horizon: int
    series: int
    outputs: int = 1
    series_embedding: bool = True
    options: UnrollOptions = UnrollOptions()

    @property
    def embedding_size(self) -> int:
        return min(self.series, EMBEDDING) if self.series_embedding else 0

    def init(self, key: PRNGKey, example: Batch) -> Params:
        """`cell`, `series` and `readout`; the shapes don't depend on the example."""
        del example
        cell_key, series_key, readout_key = split(key, 3)
        kernel = KERNEL_INIT(readout_key, (self.cell.hidden_size, self.outputs), jnp.float32)
        params: dict[str, Any] = {
            "cell": self.cell.init(cell_key, 1 + self.embedding_size),
            "readout": {"W": kernel, "b": jnp.zeros(self.outputs, jnp.float32)},
        }
        if self.series_embedding:
            params["series"] = jax.random.normal(series_key, (self.series, self.embedding_size), jnp.float32)
        return params

    def apply(self, params: Params, batch: Batch, key: PRNGKey | None = None) -> Array:
        """Forecasts `[B, U, C, Q]`, after the true values of the steps before with a `key`, else after forecasts."""
        return self._unrolled(params, batch) if key is None else self._taught(params, batch)

    def start(self, params: Params, batch: Batch) -> tuple[State, Array]:
        """The state after `inputs [B, T, C]`, and the forecast of the next step `[B, C, Q]`."""
        state, forecasts = self._read(params, batch["inputs"], batch.get("observed"), every=False)
        return state, forecasts

    def step(self, params: Params, state: State, values: Array) -> tuple[State, Array]:
        """The state after one more value of each series `[B, C]`, and the forecast of the next step `[B, C, Q]`."""
        carry, h = self.cell.step(params["cell"], state.carry, self._inputs(params, values))
        return State(carry, values), self._forecast(params, h, values)

    def _unrolled(self, params: Params, batch: Batch) -> Array:
        def further(loop: tuple[State, Array], _: None) -> tuple[tuple[State, Array], Array]:
            state, forecast = loop
            return self.step(params, state, forecast[..., self.outputs // 2]), forecast

        _, forecasts = lax.scan(further, self.start(params, batch), length=self.horizon)
        return jnp.moveaxis(forecasts, 0, 1)

    def _taught(self, params: Params, batch: Batch) -> Array:
        values = jnp.concatenate([batch["inputs"], batch["targets"][:, :-1]], 1)
        observed = batch.get("observed")
        if observed is not None:
            observed = jnp.concatenate([observed, batch["wanted"][:, :-1]], 1)
        _, forecasts = self._read(params, values, observed, every=True)
        return forecasts[:, -self.horizon :]

    def _read(self, params: Params, values: Array, observed: Array | None, every: bool) -> tuple[State, Array]:
        """The state after `values [B, T, C]`, and the forecasts after "every" step `[B, T, C, Q]` or after the last
        one `[B, C, Q]`."""
        xs = self._inputs(params, values).swapaxes(1, 2)
        rows = xs.shape[:2]
        mask = None if observed is None else observed.swapaxes(1, 2).reshape(-1, xs.shape[2])
        carry, hs = unroll(
            self.cell, params["cell"], xs.reshape(-1, *xs.shape[2:]), mask=mask,
            options=dataclasses.replace(self.options, outputs="all" if every else "none"),
        )  # fmt: skip
        last = values[:, -1] if observed is None else last_observed(values, observed)
        state = State(jax.tree.map(lambda a: a.reshape(*rows, *a.shape[1:]), carry), last)
        if hs is None:
            return state, self._forecast(params, self.cell.hidden(state.carry), last)
        hs = hs.reshape(*rows, *hs.shape[1:]).swapaxes(1, 2)
        if observed is not None:
            values, hs = held(values, observed), held(hs, observed)
        return state, self._forecast(params, hs, values)

    def _inputs(self, params: Params, values: Array) -> Array:
        """`[x_t; q_c]`, `[..., C, 1 + E]`, from `values [..., C]`."""
        if not self.series_embedding:
            return values[..., None]
        own = jnp.broadcast_to(params["series"], (*values.shape, self.embedding_size))
        return jnp.concatenate([values[..., None], own.astype(values.dtype)], -1)

    def _forecast(self, params: Params, h: Array, last: Array) -> Array:
        readout = params["readout"]
        y = product(h, readout["W"], promoted(h, readout["W"])) + promote_rank(readout["b"], h)
        return last[..., None] + y


def held(values: Array, observed: Array) -> Array:
    """`values [B, T, C, ...]` with each unobserved one replaced by the last observed before it; 0 where none is."""
    time = jnp.arange(observed.shape[1])[:, None]
    latest = lax.cummax(jnp.where(observed, time, -1), axis=1)
    index = latest.reshape(*latest.shape, *(1,) * (values.ndim - 3))
    return jnp.where(index >= 0, jnp.take_along_axis(values, jnp.maximum(index, 0), 1), 0)


def one_step(
    spec: Spec, cell: Cell, *, series_embedding: bool = True, unroll: UnrollOptions = UnrollOptions()
) -> OneStep:
    """A `OneStep` of `cell` for a task that forecasts series.

    Args:
      series_embedding: whether the inputs say which series it is.
      unroll: how the loop over given values runs; `outputs` and `time_major` are the model's own.

    Raises:
      ValueError: a task that forecasts no series.
    """
    check_options(unroll)
    _, horizon, series = check_forecast("one_step", spec)
    return OneStep(cell, horizon, series, spec.output_size, boolean("series_embedding", series_embedding), unroll)
