"""Contracts: what a system of one company lets a system of another have, signed by both."""
