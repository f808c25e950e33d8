"""Tables of WAV files: words as tones of a frequency each."""

from pathlib import Path

import numpy as np
import scipy.io.wavfile

TONES = {"LOW": 500, "HIGH": 1500, "TOP": 3000}
"""Words and the frequencies that say them."""


def said(words: str, rate: int = 8000, seed: int = 0) -> np.ndarray:
    """Samples `[N]` from -1 to 1 of words, each 100 ms long, with a gap after it."""
    rng = np.random.default_rng(seed)
    times = np.arange(rate // 10) / rate
    parts = [np.zeros(rate // 20)]
    for word in words.split():
        parts += [0.5 * np.sin(2 * np.pi * TONES[word] * times), np.zeros(rate // 20)]
    whole = np.concatenate(parts)
    return whole + 0.01 * rng.standard_normal(len(whole))


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000) -> None:
    scipy.io.wavfile.write(path, rate, np.round(samples * 2**15).astype(np.int16))


def table(folder: Path, count: int = 40, seed: int = 0) -> Path:
    """A table of `count` WAV files of two or three words each, in a folder beside it."""
    rng = np.random.default_rng(seed)
    (folder / "wav").mkdir(parents=True)
    rows = []
    for n in range(count):
        words = " ".join(rng.choice(list(TONES), int(rng.integers(2, 4))))
        write_wav(folder / "wav" / f"{n}.wav", said(words, seed=n))
        rows.append(f"wav/{n}.wav\t{words}")
    path = folder / "list.tsv"
    path.write_text("\n".join(["path\ttranscript", *rows]) + "\n")
    return path
