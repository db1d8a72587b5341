"""Running the real parts on one machine, and the command line of the whole stack."""
