"""The native CPU engine: recurrent layers as C++ kernels that XLA calls.

`library` loads the library that was compiled at installation, or returns why it can't. `describe` names the engine of
this process, `engine_of` the engine of a lowered program. `time_loop/native/` wraps the kernels as JAX primitives and
runs cells with them. docs/native.md describes the kernels.
"""

from .description import describe, engine_of
from .library import Library, library

__all__ = ["Library", "describe", "engine_of", "library"]
