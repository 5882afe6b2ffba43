"""Simulated Sentinel-2 products."""
