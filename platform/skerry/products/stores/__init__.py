"""Where products stand: folders, archives, addresses; chunks read, kept and copied."""
