"""People: sign-up, log-in, sessions."""
