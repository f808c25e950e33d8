"""The native CPU engine: recurrent layers as C++ kernels that XLA calls.

`library` loads what was compiled at installation, or says why it can't; `describe` says which engine a process uses and
`engine_of` which one a program calls.
`time_loop/native/` makes the kernels JAX primitives and runs cells by them; docs/native.md describes the kernels.
"""

from .description import describe, engine_of
from .library import Library, library

__all__ = ["Library", "describe", "engine_of", "library"]
