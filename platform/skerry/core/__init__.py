"""The ground floor: errors, digests, time, identifiers, scopes, addresses and settings."""
