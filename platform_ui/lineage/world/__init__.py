"""The three truths of what a person sees: facts, the lines that follow from them, where they differ. Pure."""
