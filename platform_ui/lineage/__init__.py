"""Where data comes from and goes: what is declared, what is permitted, what was observed."""
