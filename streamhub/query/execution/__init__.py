"""How a checked tree becomes fast: emitted Python, decided by the key first, over typed rows.

Lives here: ``emitter`` (tree to Python source), ``folding`` (what the key already decides), ``rows``
(decoding just the members that are needed), ``statement`` (the compiled statement that the stream apps
call).
"""
