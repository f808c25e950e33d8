"""The task of forecasting series: ETTh1, ETTh2 and a user's own tables."""

from .task import forecasting

__all__ = ["forecasting"]
