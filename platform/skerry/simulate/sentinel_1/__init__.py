"""Simulated Sentinel-1 IW GRD products."""
