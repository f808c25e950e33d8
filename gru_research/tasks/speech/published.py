"""Results from the literature on AN4, word error rates in per cent on its 130 test utterances."""

from ..application import Published

AN4 = (
    Published("GRU, 5 layers of 800", {"wer": 10.52}, "from waves"),
    Published("Transformer", {"wer": 7.6}, "from waves; attention and CTC, 30 word pieces", "ESPnet, 2021"),
    Published("Transformer with a language model", {"wer": 7.4}, "from waves; 30 word pieces", "ESPnet, 2021"),
    Published("Kaldi", {"wer": 5.95}, "from waves; a lexicon and a language model", "Kaldi's recipe"),
)
"""All had the waves, of which our data have 13 mel cepstra a frame."""
