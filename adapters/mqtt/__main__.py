"""Command line of the bridge: `python -m adapters.mqtt run`."""

from adapters.mqtt.commands import mqtt

if __name__ == "__main__":
    mqtt(prog_name="python -m adapters.mqtt")
