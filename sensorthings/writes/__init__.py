"""Creating, changing and deleting entities, and the rules of the standard that follow."""
