"""Plots: arrays in, matplotlib Axes out; matplotlib is loaded when a plot is drawn."""

__all__: list[str] = []
