"""What notebooks, the command line and pipelines use to reach the platform over HTTP."""

from skerry.client.session import Session, connect

__all__ = ["Session", "connect"]
