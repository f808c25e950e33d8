"""From a text to a model's inputs, and from what it generates to a summary with its copied words."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.decoding import DECODERS
from gru_research.types import Batch, Params, PRNGKey

from .metrics import to_bytes, to_text
from .words import Vocabulary, join_words, split_words

NAME_BYTES = 48
"""The most bytes of a word that training lacks; what is longer is cut."""
COPIED = 0.5
"""A word is copied if more than this share of its probability comes from copying."""


@dataclasses.dataclass(frozen=True)
class Encode:
    """A document as the model sees it: the tokens of its first words."""

    vocabulary: Vocabulary

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns `inputs [T]`, `lengths`, the bytes `names [T, W]` of words that training lacks, and `source [T, W]`,
        those of all words, with T the most words that are read.

        Raises:
          TypeError: other than a text.
          ValueError: a text without a word.
        """
        if not isinstance(raw, str):
            raise TypeError(f"{str(raw)[:40]!r} must be a text")
        words = split_words(raw, self.vocabulary.slots)
        if not words:
            raise ValueError(f"{raw[:40]!r} has no word")
        tokens, names = self.vocabulary.document(words)
        filled = [0] * (self.vocabulary.slots - len(words))
        pad = [""] * self.vocabulary.slots
        return {
            "inputs": np.array([*tokens, *filled], np.int32),
            "lengths": np.array(len(words), np.int32),
            "names": to_bytes([*names, *pad[len(names) :]], NAME_BYTES),
            "source": to_bytes([*words, *pad[len(words) :]], NAME_BYTES),
        }


@dataclasses.dataclass(frozen=True)
class Decode:
    """Converts a row of `Generate` to a summary, its words, and which of them were copied."""

    vocabulary: Vocabulary

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns `summary`, `words`, `copied`, whether each word was copied from the document, and `generated`, the
        probability with which the model generated each one."""
        count = int(output["lengths"])
        words, known = [], len(self.vocabulary.words)
        copied = np.asarray(output["copied"])[:count] > COPIED
        for n, token in enumerate(np.asarray(output["tokens"])[:count].tolist()):
            from_source = to_text(np.asarray(output["pointed"])[n])
            words.append(self.vocabulary.words[token] if token < known and not copied[n] else from_source)
        kept = [n for n, word in enumerate(words) if word]
        return {
            "summary": join_words(words[n] for n in kept),
            "words": [words[n] for n in kept],
            "copied": [bool(copied[n]) for n in kept],
            "generated": [round(float(output["generated"][n]), 4) for n in kept],
        }


@dataclasses.dataclass(frozen=True)
class Generate:
    """Summarises documents, and says which words were copied.

    Attributes:
      longest: the most words of a summary, its end included.
    """

    longest: int

    def __call__(self, model: Any, params: Params, batch: Batch, keys: PRNGKey, sampling: Any) -> Any:
        """Returns by name `tokens [B, N]`; `lengths [B]` without the end; `copied` and `generated [B, N]` of
        `models.pointer.Reading`; and `pointed [B, N, W]`, the source's word that each one points to most."""
        del keys  # nothing is drawn
        how = dict(sampling.answer)
        inputs = {name: batch[name] for name in ("inputs", "lengths")}
        answers = DECODERS[how.pop("name")](model, params, inputs, end=0, longest=self.longest, **how)
        return explained(model, params, batch, answers)


def explained(model: Any, params: Params, batch: Batch, answers: Any) -> dict[str, Any]:
    """Returns answers with the words that they point to, inside jit; see `Generate`."""
    given = {name: batch[name] for name in ("inputs", "lengths")}
    read = model.read(params, given | {"targets": answers.tokens, "target_lengths": answers.lengths})
    same = batch["inputs"][:, None, :] == answers.tokens[..., None]
    place = jnp.argmax(jnp.where(same, read.weights + 1, 0), -1)
    ended = answers.tokens == 0
    return {
        "tokens": answers.tokens,
        "lengths": jnp.where(ended.any(1), jnp.argmax(ended, 1), answers.tokens.shape[1]),
        "copied": read.copied,
        "generated": read.generated,
        "pointed": jnp.take_along_axis(batch["source"], place[..., None], 1),
    }
