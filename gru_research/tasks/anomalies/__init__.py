"""Anomalies in series: a forecaster's surprise, and the benchmark that scores it."""

from .task import anomalies

__all__ = ["anomalies"]
