"""The description of a task that models are built from."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import jax

ANSWERS = ("last", "mean", "every", "generated")


@dataclasses.dataclass(frozen=True)
class Generation:
    """Describes how answers are generated, token by token.

    Attributes:
      begin: the token that a decoder reads before the answer's first one.
      end: the token that ends an answer.
      longest: the greatest number of tokens in an answer, `end` included.
      generated: G: only tokens below it can be generated, and others are copied from the inputs; 0: all can.
      slots: the number of tokens at the end of the vocabulary which name words of an input that training lacks.
    """

    begin: int
    end: int
    longest: int
    generated: int = 0
    slots: int = 0

    def __post_init__(self) -> None:
        for field, what in {"begin": "a token: ", "end": "a token: ", "generated": "", "slots": ""}.items():
            if getattr(self, field) < 0:
                raise ValueError(f"{field}={getattr(self, field)!r} must be {what}0 or more")
        if self.longest < 1:
            raise ValueError(f"longest={self.longest!r} must be at least 1")


@dataclasses.dataclass(frozen=True)
class Spec:
    """Describes a task to a model: everything that the model may know.

    Attributes:
      example: shapes and types of one example, without a batch axis: `inputs [T, I]`, or `[T]` for tokens. "generated"
        answers also have `targets [U]`, and `lengths` and `target_lengths` count the tokens.
      output_size: C, the number of outputs of an answer; for "generated" the size of the answers' vocabulary.
      answers: which steps answer: the "last", the "mean" over all, or "every" one; or answers are "generated" token by
        token with `start` and `step`, while `apply` takes given targets. None: the outputs are any pytree with a
        leading batch axis that the task's loss takes.
      vocabulary: V where inputs are tokens.
      unknown: the input token for everything that training lacks; None: there is none.
      generation: describes "generated" answers.
    """

    example: Mapping[str, jax.ShapeDtypeStruct]
    output_size: int
    answers: Literal["last", "mean", "every", "generated"] | None
    vocabulary: int | None = None
    generation: Generation | None = None
    unknown: int | None = None

    def __post_init__(self) -> None:
        if self.unknown is not None and not 0 <= self.unknown < (self.vocabulary or 0):
            raise ValueError(f"unknown={self.unknown!r} must be a token: at least 0 and below {self.vocabulary or 0}")
        if self.answers is not None and self.answers not in ANSWERS:
            raise ValueError(f"answers={self.answers!r} must be one of {', '.join(ANSWERS)}, or None")
        if (self.answers == "generated") != (self.generation is not None):
            raise ValueError(f"generation={self.generation!r} belongs to answers='generated', here {self.answers!r}")
        if self.generation is not None and max(self.generation.begin, self.generation.end) >= self.output_size:
            raise ValueError(f"generation={self.generation!r} must have tokens below output_size={self.output_size}")

    def output_shape(self) -> tuple[int, ...] | None:
        """Returns the shape of an example's outputs, without the batch axis; None where `answers` is None."""
        if self.answers is None:
            return None
        steps = {"every": "inputs", "generated": "targets"}.get(self.answers)
        return (*((self.example[steps].shape[0],) if steps else ()), self.output_size)
