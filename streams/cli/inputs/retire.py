"""How does `watchofficer retire` tell a running watch that nobody will use a value any more?"""

from __future__ import annotations

from streams.cli.inputs.sending import send, tell

__all__ = ["retire_command"]


def retire_command(
    axis: str, value: str, *, env: str, by: str | None, text: str, url: str | None, form: str
) -> int:
    """Send the input to the HTTP interface of a worker and print its id; returns the exit status.

    Args:
        axis: a field of the policy's axes.
        value: the value of that field.
        env: the environment in which the value is retired.
        by: who says so; None: the user of this machine.
        text: why.
        url: where a worker serves HTTP; None: the address in the settings.
        form: ``text``, or ``json`` for the input as the worker has accepted it.
    """
    body = {"axis": axis, "value": value.lower(), "env": env, "text": text}
    accepted = send("retire", body, by=by, url=url)
    if accepted is None:
        return 2
    said = accepted.get("value", value.lower())
    tell(accepted, form, f"accepted: nobody will use {axis} {said} in {env} (input {accepted['id']})")
    return 0
