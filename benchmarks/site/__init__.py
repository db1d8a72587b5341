"""Server time of the platform's pages and lists on a large installation."""
