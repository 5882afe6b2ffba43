"""Icon and frame of every page of the platform, in the hub and the dashboards."""
