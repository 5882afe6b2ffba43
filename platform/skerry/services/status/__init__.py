"""The status page: a small program of its own, which answers while everything else is away."""
