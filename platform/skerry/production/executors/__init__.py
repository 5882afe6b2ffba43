"""Where attempts run: one module for each kind of place, behind one protocol."""
