"""Results from the literature, on scaled values of ETTh1 and ETTh2."""

from collections.abc import Mapping

from ..application import Published

PUBLISHED: Mapping[tuple[str, int], tuple[Published, ...]] = {
    ("etth1", 96): (
        Published("SegRNN (Lin et al. 2023)", {"mse": 0.351, "mae": 0.392}, "look-back 720", "arXiv 2308.11200"),
        Published("SegRNN (Lin et al. 2023)", {"mse": 0.368, "mae": 0.395}, "look-back 96", "arXiv 2308.11200"),
        Published("NLinear", {"mse": 0.374, "mae": 0.394}, "look-back unknown"),
        Published("DLinear", {"mse": 0.375, "mae": 0.399}, "look-back unknown"),
        Published("a plain GRU", {"mse": 1.135, "mae": 0.844}, "look-back unknown"),
        Published("DeepAR", {"mse": 1.097, "mae": 0.803}, "look-back unknown"),
    ),
    ("etth2", 96): (
        Published("SegRNN (Lin et al. 2023)", {"mse": 0.276}, "look-back unknown", "arXiv 2308.11200"),
        Published("a plain GRU", {"mse": 1.816}, "look-back unknown"),
    ),
}
"""By data set and horizon."""
