"""Access to products in folders, in archives and at addresses, and to their chunks."""
