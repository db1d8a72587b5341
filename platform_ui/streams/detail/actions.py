"""What a person may do to a stream app just now, and why not; pure.

What lives here: which buttons there are. What does not: the rules themselves (``service``, ``versions``),
which are asked again when a button is pressed.
"""

from dataclasses import dataclass

from platform_ui.streams.views import AppView


@dataclass(frozen=True, slots=True)
class Action:
    """A button.

    Attributes:
        name: The last part of its address.
        label: What it says.
        icon: Its symbol.
        refusal: Why this person may not press it now; empty when they may.
        is_primary: Whether it is what one wants most likely.
    """

    name: str
    label: str
    icon: str
    refusal: str = ""
    is_primary: bool = False


def actions_of(view: AppView) -> tuple[Action, ...]:
    """Return the buttons of an app for the person who looks; those that they may not press have a reason."""
    if not view.is_wanted:
        label = "Start" if view.status else "Deploy"
        return (Action("deploy", label, "player-play", _why_not_start(view), is_primary=True),)
    is_down = view.state in {"failed", "backing_off"}
    restart = Action(
        "restart", "Start now" if is_down else "Restart", "refresh", _why_not_source(view), is_down
    )
    return (restart, Action("stop", "Stop", "player-stop", _why_not_side(view)))


def why_not_change(view: AppView) -> str:
    """Say why the person may not change, roll back or delete an app; empty when they may."""
    return _why_not_source(view)


def _why_not_start(view: AppView) -> str:
    if not view.sides:
        return _why_not_side(view)
    if view.waits_for is not None:
        return f"Only agents of {view.waits_for} can start it."
    if view.permission.lacks:
        return f"It needs a contract with {view.permission.lacks[0].provider} first."
    return ""


def _why_not_side(view: AppView) -> str:
    return (
        "" if view.sides else f"You look at it as a viewer: agents of {view.source} or {view.target} do this."
    )


def _why_not_source(view: AppView) -> str:
    return "" if view.is_ours else f"Only agents of {view.source}, to which the app belongs, do this."
