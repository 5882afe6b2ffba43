"""Notebook to operations: releases, jobs, runs, and the attempts that carry them out."""
