"""How a time loop runs, apart from what it computes."""

import dataclasses
from typing import Any

from gru_research.cells.checks import boolean, one_of, shown, whole

BACKENDS = ("auto", "native", "vjp", "autodiff", "parallel")
OUTPUTS = ("all", "none")
SAVES = ("auto", "gates", "carry")


@dataclasses.dataclass(frozen=True)
class UnrollOptions:
    """Static options of `unroll`; none of them changes a result beyond rounding.

    What is "auto" or None is chosen from the shapes and the platform (`time_loop/auto_options.py`), never by timing.

    Attributes:
      backend: "native" is the CPU engine, one call of C++ for all steps (docs/native.md): for GRU, LSTM and
        VanillaRNN with their standard gates, computed and carried in float32, where it was compiled. "vjp" is a
        scan in XLA with a hand-written gradient; "autodiff" a scan that JAX differentiates, for forward mode
        (`jax.jvp`) and for any cell; "parallel" an associative scan, for cells whose gates don't depend on their
        state. "auto" takes the first of "parallel", "native" and "vjp" that is there for the cell, else "autodiff";
        "native" from 8 steps on, where `unroll`, `save`, `chunk` and `hoist` are left alone. It never says which:
        the doctor and the header of a run do. On a CPU "auto" takes the states of "parallel" one after the other,
        which is faster there. Any other choice is taken, or refused with the reason. The environment variable
        GRU_RESEARCH_NATIVE=0 takes "native" away.
      unroll: how many steps one turn of XLA's loop holds; "native" has no use for this, `save`, `chunk` and `hoist`.
      checkpoint: 0 keeps every step's intermediate values for the gradient; n > 0 keeps the carry
        after every n steps and computes the rest again, which takes memory for T / n carries and n
        steps. About sqrt(T) is the least.
      save: what "vjp" keeps of every step for the gradient: its "gates" ("auto"), or its "carry" alone, from which
        the gates of a chunk are computed again together: less memory, one forward pass more, in large products.
      chunk: n > 0 lets "vjp" add up the gradients of the weights n steps at a time, and without a gradient project
        inputs n steps at a time, so that what they are made of stays in the cache; 0 does so once, for all steps.
      hoist: whether inputs are projected in one product outside the loop, instead of step by step.
      outputs: "all", or "none" where only the final carry is wanted: then no output is ever stored.
      time_major: whether time is the first axis of `xs`, `ys`, `mask` and `resets`.
    """

    backend: str = "auto"
    unroll: int = 1
    checkpoint: int = 0
    save: str = "auto"
    chunk: int | None = None
    hoist: bool | None = None
    outputs: str = "all"
    time_major: bool = False

    def __post_init__(self) -> None:
        for field, choices in (("backend", BACKENDS), ("save", SAVES), ("outputs", OUTPUTS)):
            one_of(field, getattr(self, field), choices)
        for field, least in (("unroll", 1), ("checkpoint", 0), ("chunk", 0)):
            if field != "chunk" or self.chunk is not None:
                object.__setattr__(self, field, whole(field, getattr(self, field), least))
        if self.hoist is not None:
            object.__setattr__(self, "hoist", boolean("hoist", self.hoist))
        object.__setattr__(self, "time_major", boolean("time_major", self.time_major))


def check_options(options: Any) -> None:
    """Raises TypeError where `options` are no `UnrollOptions`."""
    if not isinstance(options, UnrollOptions):
        raise TypeError(f"options={shown(options)} must be UnrollOptions, as UnrollOptions(backend='autodiff')")
