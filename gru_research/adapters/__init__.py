"""The outward face: Flax modules, and weights from and to other libraries. Parameters only, no maths.

Nothing is imported here, so that `import gru_research` needs no Flax:

    from gru_research.adapters import linen, nnx
"""
