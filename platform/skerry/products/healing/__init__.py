"""Bring products of every format into canonical form: heal damage and list missing parts."""
