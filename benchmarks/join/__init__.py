"""The join, measured: its core beside the algorithm of the original, and stream apps side by side."""
