"""Run the tests of one image, inside it: ``python /tests/run.py NAME``. Needs Python alone."""

import importlib
import sys
import unittest


def main(name: str) -> int:
    """Run what holds for every image, then what holds for this one."""
    suite = unittest.TestSuite()
    loader = unittest.TestLoader()
    for module in ("every_image", f"{name}_image"):
        suite.addTests(loader.loadTestsFromModule(importlib.import_module(module)))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and not result.skipped and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
