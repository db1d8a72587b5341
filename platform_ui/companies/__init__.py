"""Companies (domain.enterprise) and their admins."""
