"""Metrics, protocols and the tables in `results/`."""
