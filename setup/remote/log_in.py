"""Logging in to a platform, and the profiles that remember it.

What lives here: the commands `login`, `logout`, `whoami`, `profile` and `config`. What does not: the file
(``profiles``), renewing tokens (``connection``).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlsplit

import typer

from setup.remote.commands import (
    Common,
    FormOption,
    ProfileOption,
    QuietOption,
    UrlOption,
    YesOption,
    ask_first,
)
from setup.remote.configuration import Value, address_of, configure, local_platform
from setup.remote.connection import Connection, Request, with_tokens
from setup.remote.errors import LoggedOutError, ProblemError, UsageError
from setup.remote.operations import call, operations
from setup.remote.output import Output, OutputForm
from setup.remote.profiles import DEFAULT_NAME, Profile, ProfileFile, Profiles

_INPUT = "-"
_CODE_NEEDED = ("code", "second_factor")
_Name = Annotated[str, typer.Argument(help="The profile.", metavar="NAME")]


def login(
    *,
    address: Annotated[
        str, typer.Argument(help="The platform's address; this machine's when left out.", metavar="URL")
    ] = "",
    email: Annotated[str, typer.Option("--email", help="Who you are; asked when left out.")] = "",
    token: Annotated[
        str, typer.Option("--token", help="A token made on the page API tokens; - reads it from input.")
    ] = "",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Ask for a token that changes nothing.")
    ] = False,
    profile: Annotated[str, typer.Option("--profile", help="Remember it under this name.")] = "",
    quiet: QuietOption = False,
) -> None:
    """Log in to a platform and remember it: with e-mail and password, or with a token made by hand.

    The password is asked for, or read from standard input; it is not kept. What is kept is a token, in
    ~/.config/dtwin/config.toml, which only you may read.

    [bold]Examples[/bold]

      dtwin login
      dtwin login https://twin.example.org --email sue.smith@example.com
      dtwin login https://twin.example.org --profile work --token -
    """
    file = ProfileFile()
    known = file.read()
    url = address_of(address) if address else _known_address(file, profile or known.current)
    name = profile or _name_for(url, known)
    output = Output(is_quiet=quiet)
    if token:
        text = sys.stdin.readline().strip() if token == _INPUT else token
        kept = Profile(url).with_token(text)
    else:
        kept = _with_password(url, email, "read" if read_only else "write", file)
    file.put(name, kept, use=True)
    with Connection(configure(file, profile=name, environment={}), file) as connection:
        try:
            who = call(connection, "show_session")["email"]
        except (LoggedOutError, ProblemError):
            file.put(name, kept.without_tokens())
            raise
    if who is None:
        file.put(name, kept.without_tokens())
        raise LoggedOutError(
            f"{url} does not know this token.\n  What to do: make one on the page API tokens."
        )
    file.put(name, replace(file.read().known[name], email=who))
    output.say(f"Logged in at {url} as {who}, profile {name}.")


def logout(*, profile: ProfileOption = "", quiet: QuietOption = False) -> None:
    """Forget the token of a profile; one that came from a password ends.

    [bold]Examples[/bold]

      dtwin logout
      dtwin logout --profile work
    """
    file = ProfileFile()
    configuration = configure(file, profile=profile)
    name = configuration.profile.text
    stored = file.read().known.get(name)
    output = Output(is_quiet=quiet)
    if stored is None or not stored.token:
        output.say("Nobody was logged in.")
        return
    if stored.refresh_token:
        with Connection(configuration, file) as connection:
            request = operations()["revoke_tokens"].request({}, {"token": stored.refresh_token})
            connection.ask_openly(replace(request, is_repeatable=False))
    file.put(name, stored.without_tokens())
    output.say(f"Logged out at {stored.url}.")


def whoami(
    *,
    output: FormOption = OutputForm.TABLE,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Say as whom commands act, and where.

    [bold]Examples[/bold]

      dtwin whoami
      dtwin whoami -o json
    """
    common = Common(Output(output, quiet), url, profile)
    with common.connect() as connection:
        email = call(connection, "show_session")["email"]
        if email is None:
            raise LoggedOutError(f"{connection.url} does not know the token.\n  What to do: dtwin login")
        found = {"email": email, "url": connection.url, "profile": _profile_in_use(common)}
    common.output.show(found, ("email", "url", "profile"), ("email",))


def list_profiles(*, output: FormOption = OutputForm.TABLE, quiet: QuietOption = False) -> None:
    """List the platforms that you have logged in to.

    [bold]Examples[/bold]

      dtwin profile list
    """
    found = ProfileFile().read()
    items = [
        {"name": name, "url": one.url, "email": one.email, "in_use": name == found.current}
        for name, one in sorted(found.known.items())
    ]
    Output(output, quiet).show_list(items, ("name", "url", "email", "in_use"), ("name",))


def use_profile(*, name: _Name, quiet: QuietOption = False) -> None:
    """Let commands ask another platform from now on.

    [bold]Examples[/bold]

      dtwin profile use work
    """
    ProfileFile().use(name)
    Output(is_quiet=quiet).say(f"Commands use the profile {name} now.")


def show_profile(*, name: _Name, output: FormOption = OutputForm.TABLE, quiet: QuietOption = False) -> None:
    """Show one profile, without its token.

    [bold]Examples[/bold]

      dtwin profile show work
    """
    known = ProfileFile().read().known
    if name not in known:
        raise UsageError(f"There is no profile named {name}. Known: {', '.join(sorted(known)) or 'none'}.")
    one = known[name]
    found = {"name": name, "url": one.url, "email": one.email, "logged_in": bool(one.token)}
    Output(output, quiet).show(found, tuple(found), ("name",))


def remove_profile(*, name: _Name, yes: YesOption = False, quiet: QuietOption = False) -> None:
    """Forget a platform and its token.

    [bold]Examples[/bold]

      dtwin profile remove work --yes
    """
    ask_first(f"Forget the profile {name}?", yes=yes)
    ProfileFile().remove(name)
    Output(is_quiet=quiet).say(f"The profile {name} is forgotten.")


def show_configuration(
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
    output: FormOption = OutputForm.TABLE,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Show which platform commands ask, and as whom: flag, else environment, else profile, else default.

    [bold]Examples[/bold]

      dtwin config show --origin
      DTWIN_PROFILE=work dtwin config show
    """
    found = configure(ProfileFile(), url=url, profile=profile)
    values = {"profile": found.profile, "url": found.url, "token": _hidden(found.token)}
    items = [{"name": name, "value": one.text, "origin": one.origin} for name, one in values.items()]
    columns = ("name", "value", "origin") if origin else ("name", "value")
    shown = [{column: item[column] for column in columns} for item in items]
    Output(output, quiet).show_list(shown, columns, ("name",))


def _hidden(token: Value) -> Value:
    shown = f"{token.text[:10]}…" if token.text else ""
    return replace(token, text=shown)


def _name_for(url: str, known: Profiles) -> str:
    """Return under which name a platform is remembered: its own, else the first one's, else its host."""
    for name, one in sorted(known.known.items(), key=lambda entry: entry[0] != known.current):
        if one.url == url:
            return name
    return urlsplit(url).netloc if known.known else DEFAULT_NAME


def _known_address(file: ProfileFile, name: str) -> str:
    stored = file.read().known.get(name)
    return configure(file).url.text if stored is not None else local_platform().text


def _profile_in_use(common: Common) -> str:
    return configure(ProfileFile(), url=common.url, profile=common.profile).profile.text


def _with_password(url: str, email: str, scope: str, file: ProfileFile) -> Profile:
    email = email or _asked("E-mail", is_secret=False)
    body = {"email": email, "password": _asked("Password", is_secret=True), "scope": scope}
    with Connection(configure(file, url=url, environment={}), file) as connection:
        try:
            answer = connection.ask_openly(Request("POST", "/tokens", body=body)).json()
        except ProblemError as error:
            if not any(word in error.code for word in _CODE_NEEDED):
                raise
            body["code"] = _asked("Code of your second factor", is_secret=False)
            answer = connection.ask_openly(Request("POST", "/tokens", body=body)).json()
    return with_tokens(Profile(url, email), answer)


def _asked(what: str, *, is_secret: bool) -> str:
    """Ask for something; when nobody can be asked, the next line of standard input is the answer.

    Raises:
        UsageError: there is no such line.
    """
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=is_secret, err=True))
    line = sys.stdin.readline().strip()
    if not line:
        raise UsageError(f"{what} is needed, and nobody can be asked: give it as a line of standard input.")
    return line
