"""Simulated OLCI level 1 products."""
