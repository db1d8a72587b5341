"""Stream apps between systems: the language, the engine, the Faust shell and the runner."""
