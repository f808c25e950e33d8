"""Predicts the time and memory that a comparison needs on this machine, from a few timed updates of each cell."""

from .cells import CellForecasts, ConfigForecast, Forecast, PlanRequest, forecast_cell, horizon_configs

__all__ = ["CellForecasts", "ConfigForecast", "Forecast", "PlanRequest", "forecast_cell", "horizon_configs"]
