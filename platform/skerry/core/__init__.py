"""The base of all rooms: errors, digests, time, identifiers, scopes, addresses and settings."""
