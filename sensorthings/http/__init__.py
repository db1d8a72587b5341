"""HTTP: addresses, routes, bodies, problem documents, health; no SQL."""
