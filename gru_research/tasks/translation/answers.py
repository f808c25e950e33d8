"""From a text to a model's inputs, and from pieces to a text with the attention that made it."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.decoding import DECODERS, sample
from gru_research.types import Batch, Params, PRNGKey

from .pieces import END, Pieces


@dataclasses.dataclass(frozen=True)
class Encode:
    """A text as the numbers of its pieces."""

    pieces: Pieces

    def __call__(self, text: Any) -> dict[str, np.ndarray]:
        """Returns `inputs [T]` and `lengths`.

        Raises:
          TypeError: other than a text.
          ValueError: a text without a character.
        """
        if not isinstance(text, str):
            raise TypeError(f"input={text!r} must be a text")
        if not text.strip():
            raise ValueError(f"input={text!r} must have a word")
        numbers = np.array(self.pieces.encode([text.strip()])[0], np.int32)
        return {"inputs": numbers, "lengths": np.array(len(numbers), np.int32)}


@dataclasses.dataclass(frozen=True)
class Decode:
    """A translation, and for each of its pieces how much attention each piece of the source had."""

    pieces: Pieces

    def __call__(self, output: Any) -> Any:
        """Returns the text; with attention, a dict of `translation`, `pieces`, `source_pieces` and `attention`."""
        tokens: list[int] = np.asarray(output["tokens"]).tolist()
        text = self.pieces.decode([tokens])[0]
        if "attention" not in output:
            return text
        names, length = self.pieces.names, int(output["length"])
        kept = tokens[: tokens.index(END)] if END in tokens else tokens
        source: list[int] = np.asarray(output["inputs"])[:length].tolist()
        weights = np.asarray(output["attention"])[: len(kept), :length]
        return {
            "translation": text,
            "pieces": [names[n] for n in kept],
            "source_pieces": [names[n] for n in source],
            "attention": np.round(weights.astype(float), 4).tolist(),
        }


@dataclasses.dataclass(frozen=True)
class Generate:
    """Translates: by the decoder that the run chose, or from draws above a temperature of 0."""

    end: int = END

    def __call__(self, model: Any, params: Params, batch: Batch, keys: PRNGKey, sampling: Any) -> Any:
        """Returns `tokens [B, N]`, and with attention `attention [B, N, T]`, `inputs [B, T]` and `length [B]`."""
        if sampling.temperature:
            drawn = sample(
                model, params, batch, keys, end=self.end, longest=sampling.length, temperature=sampling.temperature,
                top_k=sampling.top_k, top_p=sampling.top_p,
            )  # fmt: skip
        else:
            how = dict(sampling.answer)
            drawn = DECODERS[how.pop("name")](model, params, batch, end=self.end, longest=sampling.length, **how)
        found = {"tokens": drawn.tokens}
        if model.no_attention is None:
            given = {**batch, "targets": drawn.tokens, "target_lengths": drawn.lengths}
            found |= {"attention": model.attend(params, given), "inputs": batch["inputs"]}
            found["length"] = jnp.broadcast_to(batch["lengths"], batch["inputs"].shape[:1])
        return found
