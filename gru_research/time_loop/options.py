"""How a time loop runs, apart from what it computes."""

import dataclasses

BACKENDS = ("auto", "autodiff")
OUTPUTS = ("all", "none")


@dataclasses.dataclass(frozen=True)
class UnrollOptions:
    """Static options of `unroll`; none of them changes a result beyond rounding.

    Attributes:
      backend: "autodiff" differentiates the scan; "auto" chooses, today always "autodiff".
      unroll: how many steps one turn of the loop holds.
      checkpoint: 0 keeps every step's intermediate values for the gradient; n > 0 keeps the carry
        after every n steps and computes the rest again, which takes memory for T / n carries and n
        steps. About sqrt(T) is the least.
      hoist: whether the input projection of all steps is one product outside the loop. None chooses
        from the input's size: up to 2 features it costs less inside.
      outputs: "all", or "none" where only the final carry is wanted: then no output is ever stored.
      time_major: whether time is the first axis of `xs`, `ys`, `mask` and `resets`.
    """

    backend: str = "auto"
    unroll: int = 1
    checkpoint: int = 0
    hoist: bool | None = None
    outputs: str = "all"
    time_major: bool = False

    def __post_init__(self) -> None:
        for field, choices in (("backend", BACKENDS), ("outputs", OUTPUTS)):
            if getattr(self, field) not in choices:
                raise ValueError(f"{field}={getattr(self, field)!r} is unknown; choose from {', '.join(choices)}")
        for field, least in (("unroll", 1), ("checkpoint", 0)):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{field}={value!r} must be a whole number, at least {least}")
        if not isinstance(self.hoist, bool | None):
            raise ValueError(f"hoist={self.hoist!r} must be True, False or None")
        if not isinstance(self.time_major, bool):
            raise ValueError(f"time_major={self.time_major!r} must be True or False")
