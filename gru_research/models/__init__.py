"""Whole models by name: what `config.model.kind` may say."""

import inspect
from collections.abc import Callable
from typing import Any

from .base import Generator, Model, count_parameters, no_attention, no_generation, one_row
from .encoder_decoder import EncoderDecoder, encoder_decoder
from .flax_modules import linen, nnx
from .sequence import SequenceModel, sequence

MODELS: dict[str, Callable[..., Model]] = {
    "sequence": sequence,
    "encoder_decoder": encoder_decoder,
    "linen": linen,
    "nnx": nnx,
}
"""The models that a config can name: functions `(spec, cell, *, options) -> Model`. A new one is a function with typed
options and a line here."""


def options_of(kind: str) -> dict[str, Any]:
    """The options of a kind of model, by name, with their defaults."""
    parameters = inspect.signature(MODELS[kind]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


__all__ = [
    "MODELS",
    "EncoderDecoder",
    "Generator",
    "Model",
    "SequenceModel",
    "count_parameters",
    "encoder_decoder",
    "linen",
    "nnx",
    "no_attention",
    "no_generation",
    "one_row",
    "options_of",
    "sequence",
]
