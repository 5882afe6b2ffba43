"""`skerry new`: starts a project from a template."""
