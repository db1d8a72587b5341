"""Pages that show several domains at once: dashboard, a company with its systems, a system with its parts."""
