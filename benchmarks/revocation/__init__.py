"""How long a revocation takes, from the request to the last thing that still worked, on a whole stack."""
