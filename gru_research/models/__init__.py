"""Whole models by name: what `config.model.kind` may say."""

from .base import Generator, Model
from .encoder_decoder import EncoderDecoder, encoder_decoder

__all__ = ["EncoderDecoder", "Generator", "Model", "encoder_decoder"]
