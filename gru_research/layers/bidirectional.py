"""Two directions: a cell that reads a sequence from its start and one that reads it from its end."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NoReturn

import jax.numpy as jnp

from gru_research.cells import Cell
from gru_research.cells.arguments import check_sequence, split
from gru_research.cells.checks import one_of, shown
from gru_research.cells.containers import plain
from gru_research.cells.shape_checks import check_cell, check_parameters
from gru_research.time_loop import UnrollOptions
from gru_research.time_loop.options import check_options
from gru_research.types import Array, ArrayLike, Carry, Params, PRNGKey

from .checks import check_count, check_names
from .noise import Noise, unroll_noisy

DIRECTIONS = ("forward", "backward")
MERGES: dict[str, Callable[[Array, Array], Array]] = {
    "concat": lambda a, b: jnp.concatenate([a, b], -1),
    "sum": jnp.add,
    "mean": lambda a, b: (a + b) / 2,
    "product": jnp.multiply,
}
"""How the outputs of the two directions become one."""


@dataclasses.dataclass(frozen=True)
class Bidirectional:
    """Two cells over the same sequence, one of them in reverse (Schuster and Paliwal 1997).

    The backward cell starts at each row's last real step, so padding reaches neither; the outputs of both are in
    input order. Alone it is a model; in a `Stack` it is a layer.

    Attributes:
      forward, backward: the cells, with parameters of their own.
      merge: "concat", outputs `[..., T, H_forward + H_backward]`; or "sum", "mean", "product", outputs
        `[..., T, H]`, for cells of one size.
      noise: of each direction, with its own draws. None: no noise, or in a `Stack` the stack's.
    """

    forward: Cell
    backward: Cell
    merge: str = "concat"
    noise: Noise | None = None

    def __post_init__(self) -> None:
        for field in ("forward", "backward"):
            if not hasattr(getattr(self, field), "combine"):
                raise ValueError(f"{field}={shown(getattr(self, field))} must be a cell, as GRU(8)")
            check_cell(getattr(self, field), field)
        one_of("merge", self.merge, tuple(MERGES))
        sizes = self.forward.hidden_size, self.backward.hidden_size
        if self.merge != "concat" and sizes[0] != sizes[1]:
            raise ValueError(f"merge={self.merge!r} needs cells of one size; hidden_size is {sizes[0]} and {sizes[1]}")
        if not isinstance(self.noise, Noise | None):
            raise ValueError(f"noise={shown(self.noise)} must be a Noise or None")
        if self.noise is not None:
            self.noise.check(self.forward)
            self.noise.check(self.backward)

    @property
    def output_size(self) -> int:
        """The number of features of the outputs."""
        return self.forward.hidden_size + (self.backward.hidden_size if self.merge == "concat" else 0)

    def init(self, key: PRNGKey, input_size: int) -> dict[str, Params]:
        """The parameters of both cells, under `forward` and `backward`."""
        forward_key, backward_key = split(key)
        return {
            "forward": self.forward.init(forward_key, input_size),
            "backward": self.backward.init(backward_key, input_size),
        }

    def initial_carry(self, params: Params, batch: Sequence[int]) -> tuple[Carry, Carry]:
        """The carries of the forward and of the backward cell."""
        check_names("params", params, DIRECTIONS, "a Bidirectional")
        forward = self.forward.initial_carry(params["forward"], batch)
        return forward, self.backward.initial_carry(params["backward"], batch)

    def apply(
        self,
        params: Params,
        xs: ArrayLike,
        *,
        key: PRNGKey | None = None,
        initial_carry: Sequence[Carry] | None = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        options: UnrollOptions = UnrollOptions(),
    ) -> tuple[tuple[Carry, Carry], Array | None]:
        """`xs [..., T, I]` to the carries `(forward, backward)` and the merged outputs `[..., T, H]`.

        Each carry is the one after its cell's last step, which for the backward cell is a row's first. The arguments
        are as in `unroll`; `key` draws noise, None is evaluation.
        """
        if initial_carry is not None:
            check_count("initial_carry", initial_carry, 2, "the directions are 2", "carries")
        check_options(options)
        xs = check_sequence(xs, self.forward)
        params = plain(params)
        self.check(params, xs.shape)
        keys = (None, None) if key is None else tuple(split(key))
        first = (None, None) if initial_carry is None else initial_carry
        carries, outputs = [], []
        for i, (direction, cell) in enumerate((("forward", self.forward), ("backward", self.backward))):
            carry, ys = unroll_noisy(
                cell,
                self.noise or Noise(),
                params[direction],
                xs,
                key=keys[i],
                options=options,
                initial_carry=first[i],
                lengths=lengths,
                mask=mask,
                resets=resets,
                reverse=direction == "backward",
            )
            carries.append(carry)
            outputs.append(ys)
        ys = None if options.outputs == "none" else MERGES[self.merge](*outputs)
        return (carries[0], carries[1]), ys

    def check(self, params: Params, shape: Sequence[int], path: str = "params", field: str = "xs") -> None:
        """Raises ValueError or TypeError where `params` aren't those of both cells for inputs of `shape [..., I]`.

        `path` and `field` name the parameters and the inputs in the message.
        """
        check_names(path, params, DIRECTIONS, "a Bidirectional")
        for direction, cell in zip(DIRECTIONS, (self.forward, self.backward), strict=True):
            check_parameters(cell, params[direction], shape, f"{path}[{direction!r}]", field)

    def hidden(self, carry: Sequence[Carry]) -> Array:
        """Both cells' h after their last steps, merged: a summary of the sequence."""
        return MERGES[self.merge](self.forward.hidden(carry[0]), self.backward.hidden(carry[1]))

    def step(self, params: Params, carry: Sequence[Carry], x: Array) -> NoReturn:
        """Raises ValueError: the backward cell starts at the end of a sequence."""
        raise ValueError(f"{self} has no step: its backward cell starts at the end of a sequence")
