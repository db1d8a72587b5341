"""The platform looked at by those who run it: health, certificates, the first run."""
