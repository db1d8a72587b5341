"""Certificates: who is who, and the authority that says so; no database, no HTTP."""
