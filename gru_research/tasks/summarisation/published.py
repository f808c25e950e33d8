"""Results from the literature on AESLC, ROUGE F1 in per cent against the original subject."""

from collections.abc import Mapping

from ..application import Published
from .rouge import NAMES

_PEGASUS = "Zhang et al. 2020 (arXiv 1912.08777)"
_CORPUS = "Zhang and Tetreault 2019 (arXiv 1906.03497)"


def _published(name: str, values: tuple[float, float, float], protocol: str, source: str) -> Published:
    return Published(name, dict(zip(NAMES, values, strict=True)), protocol, source)


PUBLISHED: Mapping[str, tuple[Published, ...]] = {
    "aeslc": (
        _published("Transformer from scratch", (15.04, 7.39, 14.93), "another ROUGE package", _PEGASUS),
        _published("extractor and abstractor", (23.67, 10.29, 23.44), "word vectors; another ROUGE package", _CORPUS),
        _published("PEGASUS-large", (37.69, 21.85, 36.84), "pretrained, 568M parameters", _PEGASUS),
    ),
}
"""By data set."""
