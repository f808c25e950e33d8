"""The native CPU engine: recurrent layers as C++ kernels that XLA calls.

`library` loads what was compiled at installation and says why, where it can't; `calls` are the kernels as JAX
primitives. `time_loop/native.py` runs cells by them; docs/native.md describes the kernels.
"""

from .library import Library, library

__all__ = ["Library", "library"]
