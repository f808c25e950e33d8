"""The options of a time loop: how it runs, not what it computes."""

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
        state. "auto" takes the first of "parallel", "native" and "vjp" that the cell has, else "autodiff". It takes
        "native" from 8 steps on, where `unroll`, `save`, `chunk` and `hoist` have their defaults. The doctor and the
        header of a run say which engine runs. On a CPU "auto" computes the states of "parallel" step by step, which
        is faster there. Any other backend is used, or refused with the reason. The environment variable
        GRU_RESEARCH_NATIVE=0 disables "native".
      unroll: the number of steps in one iteration of XLA's loop; "native" ignores this, `save`, `chunk` and `hoist`.
      checkpoint: 0 keeps every step's intermediate values for the gradient; n > 0 keeps the carry
        after every n steps and computes the rest again, which takes memory for T / n carries and n
        steps. n of about sqrt(T) takes the least.
      save: what "vjp" keeps of every step for the gradient: its "gates" ("auto"), or its "carry" alone. With "carry"
        the gates of a chunk are computed again together: less memory, one more forward pass, in large products.
      chunk: n > 0 lets "vjp" sum the gradients of the weights over n steps at a time, and project inputs n steps at a
        time where there is no gradient, so that these arrays stay in the cache. 0 does so once, for all steps.
      hoist: whether inputs are projected in one product outside the loop, instead of step by step.
      outputs: "all", or "none" to return only the final carry and store no output.
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
