"""Whole models by name: what `config.model.kind` may say."""

from .base import Generator, Model

__all__ = ["Generator", "Model"]
