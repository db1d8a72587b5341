"""Who asks, what they may see and change: principals, tokens, certificates, sight."""
