"""Predicts what a comparison takes on this machine, in time and memory, from a few timed updates of each cell."""

from .cells import CellForecasts, ConfigForecast, Forecast, PlanRequest, forecast_cell, horizon_configs

__all__ = ["CellForecasts", "ConfigForecast", "Forecast", "PlanRequest", "forecast_cell", "horizon_configs"]
