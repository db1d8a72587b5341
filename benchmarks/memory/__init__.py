"""Resident memory of our app over millions of records."""
