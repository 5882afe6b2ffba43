"""Attempts as Jobs of Kubernetes."""
