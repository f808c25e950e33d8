"""Polyphonic music as piano rolls, frame by frame (Boulanger-Lewandowski, Bengio and Vincent, ICML 2012)."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from gru_research.config import UserError
from gru_research.metrics import mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch

from .base import Splits, Stored, Task, over_steps
from .input_encoders import Vectors
from .output_decoders import plain

KEYS = 88
LOWEST = 21
"""The first key's number in MIDI, A0."""
_BYTES = KEYS // 8


@dataclasses.dataclass(frozen=True)
class _Collection:
    """Facts about a collection: its `longest` training sequence in frames; the default of `segment`; the test nll of
    the `baseline`; and the test nll that Chung et al. (arXiv 1412.3555, table 2) report for `tanh` units."""

    longest: int
    segment: int
    baseline: float
    tanh: float


COLLECTIONS = {
    "jsb": _Collection(longest=129, segment=0, baseline=11.0614, tanh=9.10),
    "nottingham": _Collection(longest=1788, segment=0, baseline=10.2519, tanh=3.13),
    "musedata": _Collection(longest=3457, segment=200, baseline=11.5097, tanh=6.23),
    "piano_midi": _Collection(longest=3857, segment=200, baseline=11.0455, tanh=9.03),
}


def music(
    dataset: Literal["jsb", "nottingham", "musedata", "piano_midi"] = "jsb",
    segment: int | None = None,
    threshold: float | None = None,
) -> Task:
    """Predict the keys that sound in the next frame.

    At every step the model has read the frames before it (for the first frame, 88 zeros) and returns 88 independent
    probabilities. The loss is the negative log-likelihood of a frame in nats, summed over keys. The metric "nll" is its
    mean over all frames of a set, so a long piece has more weight than a short one.

    Training cuts sequences longer than `segment` frames into the fewest pieces of at most that length, equal up to one
    frame. A piece starts from the initial state and reads only one frame of the previous piece, its last one. 0 cuts
    nothing; None is 0 for JSB and Nottingham and 200 for MuseData and Piano-midi. Nottingham's sequences have 254
    frames on average and 1,788 at most: uncut, most of a batch is padding, and `segment=512` cuts one in twenty.
    Validation and test sequences are always whole, as in the papers.

    The baseline predicts each key with its share of training frames, (count + 1) / (frames + 2). The default
    `threshold` of the validation metric is the test result of Chung et al. for tanh units.
    """
    collection = COLLECTIONS[dataset]
    segment = collection.segment if segment is None else segment
    if segment < 0:
        raise ValueError(f"segment={segment!r} must be 0 (whole sequences) or more")
    threshold = collection.tanh if threshold is None else threshold
    if threshold <= 0:
        raise ValueError(f"threshold={threshold!r} must be above 0")
    length = min(segment or collection.longest, collection.longest)

    def split(stored: Splits) -> Splits:
        return {
            "train": padded(pieces(stored["train"], segment), length + 1),
            "validation": pieces(stored["validation"]),
            "test": pieces(stored["test"]),
        }

    return Task(
        name=f"music-{dataset}",
        data=Stored(f"music_{dataset}", split, _prepare),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length, KEYS), jnp.float32)}, KEYS, "every"),
        loss=note_likelihood,
        metrics={"nll": mean(note_likelihood, "min")},
        metric="nll",
        threshold=threshold,
        trivial={"how often each key sounds": collection.baseline},
        length=length,
        scaling="Shorter training segments hide what lies further back; test sequences are whole, so that the baseline "
        "doesn't change.",
        encode=encode,
        decode=Keys(),
    )


def encode(raw: Any) -> dict[str, np.ndarray]:
    """Frames that have sounded as the model sees them, behind one of zeros: what follows is asked at each of them.

    Args:
      raw: `[T, 88]` of 0 and 1, or a text: frames are divided by blanks, the MIDI numbers of the keys of a frame, from
        21 to 108, by plus signs, and a frame without a key is a hyphen: "60+64+67 60+64+67 - 62".

    Raises:
      ValueError: no frame, or something else.
    """
    frames = np.asarray(_read_frames(raw)) if isinstance(raw, str) else raw
    inputs = Vectors(KEYS)(frames)["inputs"]
    if not np.isin(inputs, (0, 1)).all():
        raise ValueError(f"{float(inputs[~np.isin(inputs, (0, 1))][0])!r} must be 0 or 1: whether a key sounds")
    return {"inputs": np.pad(inputs, ((1, 0), (0, 0))), "lengths": np.array(len(inputs) + 1, np.int32)}


def _read_frames(text: str) -> np.ndarray:
    words = text.split()
    frames = np.zeros((len(words), KEYS))
    for frame, word in zip(frames, words, strict=True):
        for key in () if word == "-" else word.split("+"):
            if not (key.isdecimal() and LOWEST <= int(key) < LOWEST + KEYS):
                raise ValueError(f"key {key!r} must be a MIDI number from {LOWEST} to {LOWEST + KEYS - 1}")
            frame[int(key) - LOWEST] = 1
    return frames


@dataclasses.dataclass(frozen=True)
class Keys:
    """The keys with a probability of at least 0.5 in the frame after each step, from logits `[T, 88]`."""

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns a list of MIDI numbers for each step, and their probabilities."""
        shares = expit(np.asarray(output, np.float64))
        sounding = [np.flatnonzero(share >= 0.5) for share in shares]
        return {
            "keys": [(keys + LOWEST).tolist() for keys in sounding],
            "probabilities": [plain(share[keys]) for share, keys in zip(shares, sounding, strict=True)],
        }

    def mean(self, outputs: Any) -> np.ndarray:
        """Returns the logits of the mean probabilities of all seeds, `[S, T, 88]`."""
        share = np.mean([expit(np.asarray(output, np.float64)) for output in outputs], axis=0)
        with np.errstate(divide="ignore"):
            return np.log(share) - np.log1p(-share)


def pieces(stored: Mapping[str, np.ndarray], longest: int = 0) -> dict[str, np.ndarray]:
    """Cuts sequences into pieces of at most `longest` frames (0: uncut), each preceded by one context frame.

    Args:
      stored: `frames [N, T, 11]`, the bits of the keys, padded, and `length [N]`. The context frame of a sequence's
        first piece is zeros.

    Returns:
      `frames [M, 1 + T', 11]`, padded with zeros to the longest piece, and `length [M]`, without the context frame.
    """
    frames, length = stored["frames"], stored["length"]
    cuts = []
    for n, frames_n in enumerate(length.tolist()):
        parts = -(-frames_n // longest) if longest else 1
        edges = [frames_n * part // parts for part in range(parts + 1)]
        cuts += [(n, start, stop) for start, stop in itertools.pairwise(edges)]
    out = np.zeros((len(cuts), 1 + max(stop - start for _, start, stop in cuts), _BYTES), np.uint8)
    for row, (n, start, stop) in zip(out, cuts, strict=True):
        before = min(start, 1)
        row[1 - before : 1 + stop - start] = frames[n, start - before : stop]
    return {"frames": out, "length": np.array([stop - start for _, start, stop in cuts], np.int32)}


def padded(arrays: dict[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """Pads `frames [N, T, 11]` with zeros to T = `steps`. Raises UserError for longer sequences."""
    frames = arrays["frames"]
    missing = steps - frames.shape[1]
    if missing < 0:
        raise UserError(f"a sequence of {frames.shape[1] - 1} frames is longer than the padding, {steps - 1}")
    return {**arrays, "frames": np.pad(frames, ((0, 0), (0, missing), (0, 0)))}


def _prepare(batch: Batch) -> Batch:
    """Converts `frames [B, 1 + T, 11]`, `length [B]` to binary `inputs`, `targets [B, T, 88]` and `lengths [B]`."""
    keys = jnp.unpackbits(batch["frames"], axis=-1)
    inputs = keys[:, :-1].astype(jnp.float32)
    return {"inputs": inputs, "targets": keys[:, 1:], "lengths": batch["length"]}


def note_likelihood(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's negative log-likelihood in nats, summed over keys and averaged over frames, from logits
    `[B, T, 88]`, binary `targets [B, T, 88]` and `lengths [B]`. An example's weight is its number of frames."""
    logits, targets = outputs.astype(jnp.float32), batch["targets"].astype(jnp.float32)
    nll_BT = jnp.sum(jnp.logaddexp(0.0, logits) - targets * logits, -1)
    return over_steps(nll_BT, batch["lengths"])
