"""The outward face: Flax modules, and weights to and from other libraries. Parameters only, no maths."""
