"""Command line of the sink: `python -m adapters.elasticsearch run`."""

from adapters.elasticsearch.commands import elasticsearch

if __name__ == "__main__":
    elasticsearch(prog_name="python -m adapters.elasticsearch")
