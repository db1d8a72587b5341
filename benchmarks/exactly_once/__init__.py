"""The crash loop: apps killed at random moments while numbered records pass, every record counted."""
