"""Flax modules around our cells, and conversion of weights from and to other libraries. No equations of cells.

Nothing is imported here, so `import gru_research` needs no Flax:

    from gru_research.adapters import linen, nnx
"""
