"""Simulated SLSTR level 1 products."""
