"""Panel pages behind the hub's login: runs, next ticks, and products on a map."""
