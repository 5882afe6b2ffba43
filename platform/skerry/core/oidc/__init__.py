"""OpenID Connect, as far as the hub and the services share it: a provider's facts, keys, tokens."""
