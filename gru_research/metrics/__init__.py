"""Metrics: additive statistics with a finish, and arrays of a whole set that are scored on the host."""

from .base import Additive, Collected, Direction, Metric, mean, ratio

__all__ = ["Additive", "Collected", "Direction", "Metric", "mean", "ratio"]
