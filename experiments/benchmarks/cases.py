"""The cases of a benchmark: a system's layer of one cell at one shape, and its number of operations."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gru_research.config import UserError, call, choose
from gru_research.time_loop import UnrollOptions

CELLS = ("gru", "lstm", "rnn")
GATES = {"gru": 3, "lstm": 4, "rnn": 1}
DTYPES = ("float32", "bfloat16")
MODES = ("forward", "train", "last")
MACHINE = "machine"
OURS = "ours"
OURS_BY_XLA = f"{OURS}[backend=vjp]"
"""Ours by XLA, without the native engine."""
PEERS = ("linen", "nnx", "haiku", "equinox", "keras", "torch")
FIXED_OPTIONS = ("outputs", "time_major")  # set by the benchmark, as they change what is computed


@dataclasses.dataclass(frozen=True)
class Shape:
    """A batch of B sequences of T steps with D input features, and H hidden units."""

    batch: int
    time: int
    input_size: int
    hidden_size: int

    def __str__(self) -> str:
        return f"{self.batch},{self.time},{self.input_size},{self.hidden_size}"


SHAPES = (
    Shape(32, 128, 32, 128),
    Shape(64, 256, 128, 512),
    Shape(1, 1024, 64, 256),
    Shape(128, 784, 1, 128),
    Shape(50, 200, 2, 64),
)
LENGTHS = (256, 1024, 4096, 16384)


def shape_of_length(length: int) -> Shape:
    """Returns the shape at which time is measured against T, with T = `length`."""
    return Shape(8, length, 32, 64)


@dataclasses.dataclass(frozen=True)
class BenchmarkCase:
    """What one worker process measures.

    Attributes:
      system: `ours`, with options of `UnrollOptions` in brackets where wanted, a peer, or `machine`.
      variant: the peer's class, where its documentation offers several: `layers.VARIANTS`.
      cell, shape: the layer.
      dtype: its compute dtype; parameters are float32.
      platform: "cpu" or "gpu".
      sets: how many parameter sets run side by side, by `vmap`; only ours takes more than 1.
      busy_processes: how many other processes keep the cores busy meanwhile.
    """

    system: str
    variant: str = ""
    cell: str = "gru"
    shape: Shape = SHAPES[0]
    dtype: str = "float32"
    platform: str = "cpu"
    sets: int = 1
    busy_processes: int = 0

    def to_flags(self) -> list[str]:
        """Returns the worker's command line."""
        return [f"--{field.name}={getattr(self, field.name)}" for field in dataclasses.fields(self)]


def case_from_flags(values: Mapping[str, str]) -> BenchmarkCase:
    """The inverse of `BenchmarkCase.to_flags`, from flag names and values."""
    numbers = {name: int(values[name]) for name in ("sets", "busy_processes")}
    return BenchmarkCase(**{**values, **numbers, "shape": parse_shape(values["shape"])})


def parse_systems(text: str) -> tuple[str, ...]:
    """Parses the systems in `a,b[option=value,option=value],c`. Raises UserError."""
    systems = tuple(name.strip() for name in re.split(r",(?![^\[]*\])", text) if name.strip())
    if not systems:
        raise UserError(f"--systems={text!r} names none; choose from {', '.join((OURS, *PEERS))}")
    for system in systems:
        name, options = split_system(system)
        choose("--systems", name, (OURS, *PEERS))
        if options and name != OURS:
            raise UserError(f"--systems={system!r}: only {OURS} takes options")
        our_options(options)
    if len(set(systems)) < len(systems):
        raise UserError(f"--systems={text!r} names one twice")
    return systems


def split_system(system: str) -> tuple[str, dict[str, Any]]:
    """Splits `name[option=value,...]` into name and options; values are integers, true, false, none or words."""
    match = re.fullmatch(r"([^\[\]]*)(?:\[([^\[\]]*)\])?", system)
    if not match:
        raise UserError(f"--systems={system!r} must be a name, or name[option=value,option=value]")
    options = {}
    for item in filter(None, (match[2] or "").split(",")):
        option, equals, value = item.partition("=")
        if not equals:
            raise UserError(f"--systems={system!r}: {item!r} must be option=value")
        options[option.strip()] = _value(value.strip())
    return match[1].strip(), options


def our_options(options: Mapping[str, Any], **fixed: Any) -> UnrollOptions:
    """Returns our layer's options; `fixed` names options that the benchmark itself sets. Raises UserError."""
    for name in FIXED_OPTIONS:
        if name in options:
            raise UserError(f"--systems={OURS}[{name}=...]: the benchmark chooses {name} itself")
    return call(UnrollOptions, {**options, **fixed}, f"--systems={OURS}")


def is_ours(system: str) -> bool:
    return split_system(system)[0] == OURS


def parse_shapes(text: str) -> tuple[Shape, ...]:
    """Parses the shapes in `B,T,D,H;B,T,D,H`; a single number is an index in `SHAPES`. Raises UserError."""
    shapes = tuple(parse_shape(item) for item in text.split(";") if item.strip())
    if not shapes:
        raise UserError(f"--shapes={text!r} names none")
    return shapes


def parse_shape(text: str) -> Shape:
    """Parses one shape, `B,T,D,H` or an index in `SHAPES`. Raises UserError."""
    numbers = whole_numbers("--shapes", text)
    if len(numbers) == 1 and numbers[0] < len(SHAPES):
        return SHAPES[numbers[0]]
    if len(numbers) != 4 or min(numbers) < 1:
        known = "; ".join(f"{i}: {shape}" for i, shape in enumerate(SHAPES))
        raise UserError(f"--shapes: {text.strip()!r} must be B,T,D,H, each at least 1, or an index ({known})")
    return Shape(*numbers)


def whole_numbers(flag: str, text: str) -> list[int]:
    """Parses the integers, 0 or more, in `a,b,c`. Raises UserError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(re.fullmatch(r"\d+", word) for word in words):
        raise UserError(f"{flag}={text.strip()!r} must be whole numbers, separated by commas")
    return [int(word) for word in words]


def parse_names(flag: str, text: str, choices: Sequence[str]) -> tuple[str, ...]:
    """Parses the names in `a,b`, each one of `choices`, without repetitions. Raises UserError."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UserError(f"{flag}={text!r} names none; choose from {', '.join(choices)}")
    return tuple(choose(flag, name, choices) for name in names)


def flops(cell: str, shape: Shape, mode: str) -> int:
    """Returns the floating-point operations of the matrix products, 2 for a multiply-add; nothing else counts.

    Forward: `x W` and `h U` for each gate. The backward pass has two products for each product with U (gradients of h
    and U) and one for each with W (the gradient of W; the input's gradient isn't computed).
    """
    units = 2 * shape.batch * shape.time * GATES[cell] * shape.hidden_size
    if mode == "forward":
        return units * (shape.input_size + shape.hidden_size)
    return units * (2 * shape.input_size + 3 * shape.hidden_size)


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    return int(text) if re.fullmatch(r"\d+", text) else words.get(text.lower(), text)
