"""What every page of the platform shares, the hub's and the dashboards': icon and frame."""
