"""Whole models by name: the values of `config.model.kind`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gru_research import lookup
from gru_research.time_loop import UnrollOptions

from . import user_models
from .base import Generator, Model, count_parameters, no_attention, no_generation, one_row
from .encoder_decoder import EncoderDecoder, encoder_decoder
from .flax_modules import linen, nnx
from .one_step import OneStep, one_step
from .pointer import PointerGenerator, pointer
from .segrnn import SegRNN, segrnn
from .sequence import SequenceModel, sequence
from .stream import StreamModel, stream
from .voices import VoicesModel, voices

MODELS: dict[str, Callable[..., Model]] = {
    "sequence": sequence,
    "encoder_decoder": encoder_decoder,
    "stream": stream,
    "voices": voices,
    "pointer": pointer,
    "segrnn": segrnn,
    "one_step": one_step,
    "linen": linen,
    "nnx": nnx,
}
"""The models that a config can name: functions `(spec, cell, *, options) -> Model`. A new one is a function with typed
options and a line here; one in a file of the user's own needs no line."""


def builder(kind: str) -> Callable[..., Model]:
    """The function that makes the models of a kind, which may be `path/to/file.py:Name` or `module:Name`.

    Raises:
      UserError: there is none.
    """
    found = lookup.find("config.model.kind", kind, MODELS)
    return found if kind in MODELS else user_models.builder("config.model.kind", kind, found)


def options_of(kind: str) -> dict[str, Any]:
    """The options of a kind of model, by name, with their defaults; those without a default, or with one that no config
    can hold, are left out."""
    parameters = inspect.signature(builder(kind)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and _is_plain(p.default)}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | tuple | Mapping | UnrollOptions)


__all__ = [
    "MODELS",
    "EncoderDecoder",
    "Generator",
    "Model",
    "OneStep",
    "PointerGenerator",
    "SegRNN",
    "SequenceModel",
    "StreamModel",
    "VoicesModel",
    "builder",
    "count_parameters",
    "encoder_decoder",
    "linen",
    "nnx",
    "no_attention",
    "no_generation",
    "one_row",
    "one_step",
    "options_of",
    "pointer",
    "segrnn",
    "sequence",
    "stream",
    "voices",
]
