"""Simulated products: small, deterministic, and marked as such wherever they appear."""

from skerry.products.simulate.sentinel_2 import simulate_s2_l1c, simulate_s2_l2a

__all__ = ["simulate_s2_l1c", "simulate_s2_l2a"]
