"""Faust shells around the engine: they carry a lane, and hold no logic of their own."""
