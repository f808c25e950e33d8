"""Four collections of polyphonic music as TFDS builders; `checksums.tsv` holds addresses, sizes and sha256 sums."""

from gru_research.data.music.music_dataset_builder import Jsb, MuseData, Nottingham, PianoMidi

__all__ = ["Jsb", "MuseData", "Nottingham", "PianoMidi"]
