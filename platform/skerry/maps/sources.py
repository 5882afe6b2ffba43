"""Sources that a map with Skerry's base map must name; ``data/SOURCES.md`` says more."""

ATTRIBUTION = "Coast © OpenStreetMap contributors (ODbL), places GeoNames (CC BY 4.0)"
"""Text to show wherever the base map is shown."""
