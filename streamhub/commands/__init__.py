"""Commands of stream apps: `app run`, `app validate`, `app explain`, `app preview` and `query run`.

What lives here: options (``options``), environment names, output, exit codes (``outcome``). What does not:
any work. Mounted by `dtwin` and by `python -m streamhub`.
"""

import typer

from streamhub.commands.explaining import explain, validate
from streamhub.commands.running import run_app
from streamhub.commands.trying import preview, run_statement

__all__ = ["app", "query"]

app = typer.Typer(help="Run and check stream apps.", no_args_is_help=True)
query = typer.Typer(help="Try statements without a broker.", no_args_is_help=True)


@app.callback()
def _app_group() -> None:
    """Run and check stream apps."""


@query.callback()
def _query_group() -> None:
    """Try statements without a broker."""


app.command("run")(run_app)
app.command("validate")(validate)
app.command("explain")(explain)
app.command("preview")(preview)
query.command("run")(run_statement)
