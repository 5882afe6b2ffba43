"""`python -m skerry.dashboards`: a child of `skerry up`."""

import sys

from skerry.dashboards.server import main

if __name__ == "__main__":
    sys.exit(main())
