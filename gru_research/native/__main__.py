"""`python -m gru_research.native` prints whether the native engine works, or why not and what that costs."""

from .library import library

found = library()
if found.missing is None:
    print(f"native CPU engine: compiled and tested, with {found.instruction_set}")
else:
    print(f"no native CPU engine: {found.missing}. Layers run on XLA alone, which takes about twice as long on a CPU.")
