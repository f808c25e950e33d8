"""Hides from `nnx.tabulate` the methods that it can't compile."""

import functools
import types
from collections.abc import Callable
from typing import Any


class Unlisted:
    """A method that isn't a plain function of its class, so that `nnx.tabulate` skips it.

    `nnx.tabulate` compiles every public function of the classes in its summary (flax 0.12.8). It fails at functions
    that take a shape or return anything but arrays.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __get__(self, module: Any, kind: type | None = None) -> Callable[..., Any]:
        return self if module is None else types.MethodType(self.function, module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)
