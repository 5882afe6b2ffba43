"""Whom a map with our base map has to name; ``data/SOURCES.md`` says more."""

ATTRIBUTION = "Coast © OpenStreetMap contributors (ODbL), places GeoNames (CC BY 4.0)"
"""To be shown wherever the base map is."""
