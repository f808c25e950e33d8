"""A plain synthesiser: pitches of several voices to sound, with NumPy alone."""

import io
import itertools
import wave

import numpy as np

RATE = 22_050
"""Samples a second."""
_PARTIALS = (1.0, 0.5, 0.25, 0.12, 0.06)
"""Loudness of a note's harmonics."""
_ATTACK, _RELEASE = 0.02, 0.08  # seconds
_LOUDNESS = 0.8
_SILENT = -1


def synthesise(pitches: np.ndarray, seconds: float, rate: int = RATE) -> np.ndarray:
    """Returns the sound of MIDI pitches `[T, V]`, -1 for silence, as int16 `[N]`.

    A held pitch is one note. `seconds` is the duration of a step.
    """
    steps, voices = np.shape(pitches)
    edges = np.rint(np.arange(steps + 1) * seconds * rate).astype(int)
    sound = np.zeros(edges[-1] + 1 + int(_RELEASE * rate))
    for line in np.asarray(pitches).T.tolist():
        start = 0
        for pitch, same in itertools.groupby(line):
            stop = start + len(list(same))
            if pitch != _SILENT:
                note = _note(pitch, edges[stop] - edges[start], rate)
                sound[edges[start] : edges[start] + len(note)] += note
            start = stop
    return np.rint(sound * (_LOUDNESS * np.iinfo(np.int16).max / (sum(_PARTIALS) * max(voices, 1)))).astype(np.int16)


def _note(pitch: int, held: int, rate: int) -> np.ndarray:
    """Returns a note that is held for a number of samples and then fades."""
    samples = np.arange(held + int(_RELEASE * rate))
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    tone = np.zeros(len(samples))
    for number, loudness in enumerate(_PARTIALS, 1):
        if number * frequency < rate / 2:  # higher harmonics would come back as other pitches
            tone += loudness * np.sin(2 * np.pi * number * frequency * samples / rate)
    rise = np.minimum(1, samples / (_ATTACK * rate))
    fall = np.clip((len(samples) - samples) / (_RELEASE * rate), 0, 1)
    return tone * rise * fall


def wav(sound: np.ndarray, rate: int = RATE, bits: int = 16) -> bytes:
    """Returns int16 samples `[N]` as a WAV file with one channel and 8 or 16 bits a sample."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        if bits == 8:  # unsigned, unlike 16 bits
            file.writeframes(((np.asarray(sound, np.int32) + 2**15) >> 8).astype(np.uint8).tobytes())
        else:
            file.writeframes(np.asarray(sound, "<i2").tobytes())
    return content.getvalue()
