"""Offers: what systems put into the catalogue, so that others can find it and ask for a contract."""
