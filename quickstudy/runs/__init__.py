"""Training from settings, and its record."""
