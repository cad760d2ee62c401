"""Runs: training from settings, and its record."""
