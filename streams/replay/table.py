"""How are the results of a replay shown as a table?"""

from __future__ import annotations

from msgspec import UNSET
from rich.console import Console

from detectors.incidents import Incident, error_words
from detectors.instants import SECOND, format_instant
from sinks.wording import duration_words
from streams.evaluate.evaluator import Verdict
from streams.replay.summary import Summary
from streams.runtime.terminal import standard_output, titled

__all__ = ["ReplayTable"]

_STYLES = {1: "bold red", 2: "red", 3: "yellow"}


class ReplayTable:
    """Collects verdicts, and prints them at the end."""

    def __init__(self) -> None:
        self._timeline: list[tuple[int, str, str, str, str]] = []
        self._incidents: dict[tuple[str, int], Incident] = {}
        self._paged: dict[tuple[str, int], int] = {}

    def add(self, verdict: Verdict) -> None:
        """Add the verdicts of one T."""
        for transition in verdict.result.transitions:
            after = transition.incident
            self._incidents[after.id, after.epoch] = after
            if transition.visible:
                self._note(
                    transition.at,
                    after.id,
                    after.severity,
                    after.state,
                    f"{after.scope}: {transition.reason}",
                )
        for banner in verdict.banners:
            self._note(banner.version, banner.incident_id or "", 0, "banner", f"{banner.key} {banner.state}")
        for command in verdict.result.commands:
            if command.sink == "pagerduty" and command.action == "trigger":
                self._paged.setdefault((command.incident_id, command.epoch), command.at)
                self._note(command.at, command.incident_id, 0, "page", f"PagerDuty {command.level}")

    def _note(self, at: int, incident: str, severity: int, state: str, text: str) -> None:
        style = _STYLES.get(severity, "")
        self._timeline.append((at, incident, style, state, text))

    def show(self, summary: Summary, console: Console | None = None) -> None:
        """Print the timeline, the incidents and the summary."""
        console = console or standard_output()
        if self._timeline:
            timeline = titled("Timeline", ("at", "incident", "", "what"), broken="what")
            for at, incident, style, state, text in self._timeline:
                timeline.add_row(
                    format_instant(at), incident, f"[{style}]{state}[/]" if style else state, text
                )
            console.print(timeline)
        columns = ("incident", "scope", "sev", "people/h", "first failure", "opened", "paged", "ended")
        incidents = titled("Incidents", columns, broken="scope")
        for key, one in sorted(self._incidents.items()):
            paged = self._paged.get(key)
            incidents.add_row(
                one.id if not one.epoch else f"{one.id} (reopened {one.epoch})",
                one.scope,
                f"[{_STYLES[one.peak_severity]}]{one.peak_severity}[/]",
                _people(one),
                format_instant(one.first_bad_at),
                f"+{(one.opened_at - one.first_bad_at) / SECOND:.0f} s",
                "nobody" if paged is None else f"+{(paged - one.first_bad_at) / SECOND:.0f} s",
                one.state
                if one.resolved_at is None
                else f"+{duration_words(one.resolved_at - one.first_bad_at)}",
            )
        if self._incidents:
            console.print(incidents)
        else:
            console.print("No incident.")
        rate = summary.events / summary.seconds if summary.seconds else 0.0
        console.print(
            f"{summary.events:,} events: {summary.accepted:,} accepted ({summary.late:,} late, "
            f"{summary.too_late:,} too late), {summary.duplicates:,} duplicates, {summary.rejected:,} rejected; "
            f"{summary.seconds:.1f} s, {rate:,.0f} events/s"
        )
        for reason, count in sorted(summary.reasons.items(), key=lambda item: -item[1]):
            console.print(f"  rejected, {reason}: {count:,}")


def _people(incident: Incident) -> str:
    """Return the greatest number of people impacted per hour, with its error if it is an estimate."""
    error = incident.peak_users_impacted_error
    return f"{incident.peak_users_impacted:,}" + (f" {error_words(error)}" if error is not UNSET else "")
