"""Command line of the recorder: `python -m adapters.observation_store run`."""

from adapters.observation_store.commands import recorder

if __name__ == "__main__":
    recorder(prog_name="python -m adapters.observation_store")
