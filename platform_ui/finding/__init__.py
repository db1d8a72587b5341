"""Finding what one is looking for: a search over all that a person sees, and the places of the site."""
