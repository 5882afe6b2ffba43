"""`python -m skerry.dashboards`: a child of `skerry up`."""

from skerry.dashboards.server import main

if __name__ == "__main__":
    main()
