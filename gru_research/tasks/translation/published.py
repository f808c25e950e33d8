"""Test metrics from the literature, with the protocol of each."""

from collections.abc import Mapping

from ..application import Published

_TUTORIALS = "spaCy's words in lower case, greedy, Flickr 2016"
_SOURCE = "the tutorial series bentrevett/pytorch-seq2seq"
PUBLISHED: Mapping[str, tuple[Published, ...]] = {
    "de-en": tuple(
        Published(name, {"bleu_lowercase": value}, _TUTORIALS, _SOURCE)
        for name, value in (
            ("LSTM without attention", 13.8),
            ("GRU without attention", 20.6),
            ("GRU with attention, 20.5 million parameters", 28.3),
            ("convolutions", 34.1),
            ("Transformer", 36.5),
        )
    ),
}
"""By direction."""
