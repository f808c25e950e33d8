"""Hides methods from `nnx.tabulate` that it can't call."""

import functools
import types
from collections.abc import Callable
from typing import Any


class Unlisted:
    """A method that isn't a plain function of its class, for `nnx.tabulate`.

    That compiles every public function of the classes that it summarises (flax 0.12.8), and so fails at one that takes
    a shape or returns anything but arrays.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __get__(self, module: Any, kind: type | None = None) -> Callable[..., Any]:
        return self if module is None else types.MethodType(self.function, module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)
