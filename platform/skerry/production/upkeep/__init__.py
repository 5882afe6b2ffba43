"""Upkeep: what takes space and is needed no more, and whether records and bytes agree."""
