"""Fixed and slow points of a recurrence under a held input, and its linearised dynamics there."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from gru_research.cells.arguments import check_inputs, check_key
from gru_research.cells.checks import number, whole
from gru_research.types import Array, ArrayLike, Carry, PRNGKey

from .recurrence import Recurrence, carries_before, check_smooth, first_carry

DAMPING = 1e-3
_LEAST_DAMPING, _MOST_DAMPING = 1e-12, 1e12


@dataclasses.dataclass(frozen=True)
class FixedPoints:
    """K points, the slowest first; NumPy, in float64. n is the number of numbers in a carry.

    Attributes:
      points: the carries, flat, `[K, n]`. For an LSTM c comes before h.
      speeds: half the squared distance that one step moves each, `[K]`: 0 at a fixed point.
      jacobians: of the next carry by the carry, `[K, n, n]`.
      input_jacobians: of the next carry by the input, `[K, n, I]`: the directions in which inputs push.
      eigenvalues: of each Jacobian, `[K, n]`, the largest absolute value first.
      right, left: eigenvectors in the same order, columns of `[K, n, n]`. A perturbation along column j of `right` is
        multiplied by eigenvalue j; column j of `left` says how much of a perturbation that is: `left^H right` is the
        identity.
      counts: how many starts ended at each point, `[K]`.
    """

    points: np.ndarray
    speeds: np.ndarray
    jacobians: np.ndarray
    input_jacobians: np.ndarray
    eigenvalues: np.ndarray
    right: np.ndarray
    left: np.ndarray
    counts: np.ndarray

    @property
    def timescales(self) -> np.ndarray:
        """The steps in which a perturbation along each eigenvector falls, or grows, to 1/e or e, `[K, n]`; infinite on
        the unit circle, 0 for an eigenvalue of 0."""
        with np.errstate(divide="ignore"):
            return np.abs(1 / np.log(np.abs(self.eigenvalues)))

    @property
    def unstable(self) -> np.ndarray:
        """The number of directions in which perturbations grow, `[K]`: 0 at an attractor, more at a saddle."""
        return (np.abs(self.eigenvalues) > 1).sum(-1)


def visited_carries(
    cell: Recurrence, params: Any, xs: ArrayLike, count: int = 256, key: PRNGKey | None = None
) -> Carry:
    """Up to `count` carries, leaves `[N, ...]`, drawn without repetition from those before each step of real runs.

    Args:
      xs: sequences `[B, T, I]`.
      key: of the draw; None: `jax.random.key(0)`.

    Raises:
      ValueError: `xs` isn't a batch of sequences, or `count` is below 1.
    """
    xs = check_inputs("xs", xs)
    if xs.ndim != 3:
        raise ValueError(f"xs has the shape {xs.shape}; it must be sequences, [B, T, I]")
    count = whole("count", count, 1)
    before, _ = carries_before(cell, params, xs)
    total = xs.shape[0] * xs.shape[1]
    places = jax.random.permutation(jax.random.key(0) if key is None else check_key(key), total)[:count]
    return jax.tree.map(lambda a: a.reshape(total, *a.shape[2:])[places], before)


def fixed_points(
    cell: Recurrence,
    params: Any,
    x: ArrayLike,
    starts: Carry,
    *,
    tolerance: float = 1e-16,
    distance: float = 1e-3,
    outlier: float = 10.0,
    iterations: int = 200,
) -> FixedPoints:
    """Points at which the carry stays, or nearly stays, while the input is `x` at every step.

    From each start the speed q(c) = |step(c, x) - c|^2 / 2 is minimised (Sussillo and Barak 2013, Neural Computation
    25(3); Golub and Sussillo 2018, JOSS 3(31)) by Levenberg and Marquardt's method, in float64 whatever the type of the
    parameters. Attractors, saddles and repellers are found alike.

    Args:
      cell: a cell, a `Stack`, or anything with their `initial_carry` and `step`.
      params: its parameters.
      x: the held input `[I]`.
      starts: carries, leaves `[N, ...]`, such as `visited_carries` returns.
      tolerance: the largest speed of a point that is kept. A larger one keeps slow points too.
      distance: points nearer than this, as a share of the starts' spread, are one.
      outlier: points farther from the starts' mean than this many times their spread are left out. The spread is the
        root of the mean squared distance from the mean.
      iterations: of the minimisation.

    Returns:
      The points, of which there may be none.

    Raises:
      ValueError: shapes that don't fit, an option out of its range, or a carry that holds whole numbers.
    """
    tolerance = number("tolerance", tolerance, "a speed, at least 0", least=0)
    distance = number("distance", distance, "a share of the spread, at least 0", least=0)
    outlier = number("outlier", outlier, "a number above 0", above=0)
    iterations = whole("iterations", iterations, 1)
    with jax.enable_x64(True):
        params, held, wide = _float64((params, x, starts))
        if held.ndim != 1:
            raise ValueError(f"x has the shape {held.shape}; it must be one input, [I]")
        first = first_carry(cell, params, held)
        check_smooth(first)
        flat, unflatten = ravel_pytree(first)
        begun = jax.vmap(lambda carry: ravel_pytree(carry)[0])(wide)
        if begun.ndim != 2 or begun.shape[1] != flat.size:
            raise ValueError(f"starts have {begun.shape[1:]} numbers each; a carry of this cell has {flat.size}")

        def move(carry: Array, x: Array) -> Array:
            return ravel_pytree(cell.step(params, unflatten(carry), x)[0])[0]

        found = np.asarray(jax.jit(jax.vmap(lambda c: _minimised(lambda a: move(a, held) - a, c, iterations)))(begun))
        speed = jax.jit(jax.vmap(lambda c: 0.5 * jnp.sum(jnp.square(move(c, held) - c))))
        points, counts = _distinct(found, np.asarray(speed(found)), np.asarray(begun), tolerance, distance, outlier)
        if not len(points):
            return _described(points, np.zeros(0), {"by_carry": (0, flat.size), "by_input": (0, held.size)}, counts)
        by_carry, by_input = jax.jit(jax.vmap(jax.jacfwd(move, (0, 1)), (0, None)))(points, held)
        jacobians = {"by_carry": np.asarray(by_carry), "by_input": np.asarray(by_input)}
        return _described(points, np.asarray(speed(points)), jacobians, counts)


def _float64(tree: Any) -> Any:
    return jax.tree.map(
        lambda a: jnp.asarray(a, jnp.float64) if jnp.issubdtype(jnp.asarray(a).dtype, jnp.inexact) else jnp.asarray(a),
        tree,
    )


def _minimised(residual: Any, start: Array, iterations: int) -> Array:
    """The point `[n]` that Levenberg and Marquardt's method reaches from `start` for a residual `[n]`."""

    def improve(_: Any, state: tuple[Array, Array]) -> tuple[Array, Array]:
        point, damping = state
        value, slope = residual(point), jax.jacfwd(residual)(point)
        normal = slope.T @ slope
        scale = damping * (jnp.diagonal(normal) + 1e-12)
        new = point - jnp.linalg.solve(normal + jnp.diag(scale), slope.T @ value)
        better = jnp.sum(jnp.square(residual(new))) < jnp.sum(jnp.square(value))  # False for NaN
        damping = jnp.clip(jnp.where(better, damping / 5, damping * 4), _LEAST_DAMPING, _MOST_DAMPING)
        return jnp.where(better, new, point), damping

    return lax.fori_loop(0, iterations, improve, (start, jnp.asarray(DAMPING, start.dtype)))[0]


def _distinct(
    found: np.ndarray, speeds: np.ndarray, starts: np.ndarray, tolerance: float, distance: float, outlier: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the points `[K, n]` that are slow enough, near enough and not the same, the slowest first, and how many
    minimisations ended at each."""
    centre = starts.mean(0)
    spread = float(np.sqrt(np.square(starts - centre).sum(-1).mean())) or 1.0
    near = np.linalg.norm(found - centre, axis=-1) <= outlier * spread
    order = np.flatnonzero((speeds <= tolerance) & near & np.isfinite(found).all(-1))
    points: list[np.ndarray] = []
    counts: list[int] = []
    for n in order[np.argsort(speeds[order], kind="stable")].tolist():
        apart = [float(np.linalg.norm(found[n] - point)) for point in points]
        if apart and min(apart) < distance * spread:
            counts[int(np.argmin(apart))] += 1
        else:
            points.append(found[n])
            counts.append(1)
    return np.array(points).reshape(-1, found.shape[1]), np.array(counts, np.int64)


def _described(points: np.ndarray, speeds: np.ndarray, jacobians: Mapping[str, Any], counts: np.ndarray) -> FixedPoints:
    """Returns the points with the eigenvalues and eigenvectors of their Jacobians."""
    n = points.shape[1]
    if not len(points):
        inputs = jacobians["by_input"][1]
        empty = np.zeros((0, n, n))
        return FixedPoints(
            points, speeds, empty, np.zeros((0, n, inputs)), np.zeros((0, n), complex), empty, empty, counts
        )
    values, right = np.linalg.eig(jacobians["by_carry"])
    order = np.argsort(-np.abs(values), axis=-1, kind="stable")
    values = np.take_along_axis(values, order, -1)
    right = np.take_along_axis(right, order[:, None, :], -1)
    left = np.conj(np.swapaxes(np.linalg.pinv(right), -1, -2))
    return FixedPoints(points, speeds, jacobians["by_carry"], jacobians["by_input"], values, right, left, counts)
