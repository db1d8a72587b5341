"""What every list and write of the API has in common: pages of lists, ETags, idempotency keys."""
