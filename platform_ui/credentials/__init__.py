"""Credentials: which certificates client and stream apps have, and how they get, renew and lose them."""
