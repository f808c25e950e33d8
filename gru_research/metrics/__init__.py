"""Metrics: functions of sums over examples, and functions of a whole set's arrays, computed on the host."""

from .base import Additive, Collected, Direction, Metric, mean, ratio

__all__ = ["Additive", "Collected", "Direction", "Metric", "mean", "ratio"]
