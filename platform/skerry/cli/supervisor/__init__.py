"""The platform's only supervisor on one machine: plan, start, watch, restart, stop."""
