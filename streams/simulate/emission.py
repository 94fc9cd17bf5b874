"""In which order are simulated events delivered, and as which lines of JSON?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import repeat

import numpy as np
import numpy.typing as npt

from detectors.instants import SECOND
from streams.simulate.episodes import Troubles
from streams.simulate.errors import ERRORS
from streams.simulate.rows import EVENT, NONE, Rows, concat, mix
from streams.simulate.worlds.world import CALLBACK, ENVS, METHODS, OUTCOMES, STEPS, World

__all__ = ["Keys", "delivered", "lines"]

_MILLIS = tuple(f".{ms:03d}Z" for ms in range(1000))


class Keys:
    """Keys by which numbers become identifiers; the keys are a function of the seed."""

    def __init__(self, seed: int) -> None:
        state = np.random.SeedSequence((seed, 1)).generate_state(4, np.uint64)
        self.event_high, self.event_low, self.person, self.flow = (int(s) for s in state)


def delivered(
    batches: Iterable[tuple[int, Rows]], troubles: Troubles, rng: np.random.Generator
) -> Iterator[Rows]:
    """Yield rows in order of delivery, including duplicates, in batches.

    Args:
        batches: (end of an interval in ms, its events in order of time), for consecutive intervals.
        troubles: the episodes that deliver events late or twice.
        rng: the random numbers for these episodes.
    """
    for rows in _in_order(batches, troubles, rng):
        if troubles.mistimes:
            troubles.mistime(rng, rows)
        yield rows


def _in_order(
    batches: Iterable[tuple[int, Rows]], troubles: Troubles, rng: np.random.Generator
) -> Iterator[Rows]:
    """Yield rows in order of delivery, with the instants of delivery; their times are right."""
    if not troubles.delivers_oddly:
        for _, rows in batches:
            rows["arrives"] = rows["t"]
            yield rows
        return
    waiting, due = np.zeros(0, EVENT), np.zeros(0, dtype=np.int64)
    for end, rows in batches:
        delay, copies, copy_delay = troubles.delays(rng, rows)
        waiting = concat([waiting, rows, rows[copies]], EVENT)
        due = np.concatenate([due, rows["t"] + delay, rows["t"][copies] + copy_delay])
        ready = due < end
        waiting["arrives"] = due
        yield waiting[ready][np.argsort(due[ready], kind="stable")]
        waiting, due = waiting[~ready], due[~ready]
    yield waiting[np.argsort(due, kind="stable")]


def lines(rows: Rows, keys: Keys, world: World) -> Iterator[bytes]:
    """Yield one compact line of JSON per event, without a line end."""
    if not len(rows):
        return
    heads, tails = _frames(rows, world)
    seconds, where = np.unique(rows["t"] // SECOND, return_inverse=True)
    stamps = [datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%S") for s in seconds.tolist()]
    number = rows["number"].astype(np.uint64)
    columns = zip(
        _hex(mix(number, keys.event_high)),
        _hex(mix(number, keys.event_low)),
        where.tolist(),
        (rows["t"] % SECOND).tolist(),
        heads,
        _flows(rows, keys),
        _hex(rows["request"]),
        _people(rows, keys),
        tails,
        rows["duration"].tolist(),
        _aways(rows),
        strict=True,
    )
    for high, low, second, ms, head, flow, request, person, tail, duration, away in columns:
        yield (
            f'{{"schema_version":1,"event_id":"{high}{low}","occurred_at":"{stamps[second]}{_MILLIS[ms]}",'
            f'{head}{flow},"request_id":"{request}","user_hash":{person}{tail},"duration_ms":{duration}{away}}}'
        ).encode()


def _frames(rows: Rows, world: World) -> tuple[list[str], list[str]]:
    """Return for each row the text before its flow (head) and after its person (tail), which many rows share."""
    step = rows["step"]
    columns = [
        *(rows[name].astype(np.int64) for name in ("env", "method", "step", "outcome", "operation")),
        np.where(world.names_client[step], rows["client"].astype(np.int64), len(world.clients)),
        np.where(world.names_csp[step] & ~rows["hidden"], rows["csp"].astype(np.int64), len(world.providers)),
        rows["verified"].astype(np.int64),
        rows["error"].astype(np.int64) + 1,
    ]
    sizes = (
        len(ENVS),
        len(METHODS),
        len(STEPS),
        len(OUTCOMES),
        len(world.operations),
        len(world.clients) + 1,
        len(world.providers) + 1,
        2,
        len(ERRORS) + 1,
    )
    kinds, where = np.unique(np.ravel_multi_index(columns, sizes), return_inverse=True)
    frames = [_frame([int(v) for v in np.unravel_index(kind, sizes)], world) for kind in kinds]
    places = where.tolist()
    return [frames[i][0] for i in places], [frames[i][1] for i in places]


def _frame(fields: Sequence[int], world: World) -> tuple[str, str]:
    """Return head and tail of all rows that agree in ``fields``, each an index into its vocabulary."""
    env, method, step, outcome, operation, client, csp, verified, error = fields
    client_id, direction = world.clients[client] if client < len(world.clients) else (None, None)
    head = (
        f'"env":"{ENVS[env]}","auth_method":"{METHODS[method]}","step":"{STEPS[step]}",'
        f'"outcome":"{OUTCOMES[outcome]}",'
    )
    named = f',"client_id":"{client_id}"' if client_id is not None else ""
    tail = ""
    if csp == len(world.providers):
        head += f'"csp":null{named}'
    else:
        provider = world.providers[csp]
        login_type = f"{provider.name}_verified" if verified and provider.verified_type else provider.name
        head += (
            f'"csp":"{provider.name}","login_type":"{login_type}"{named},'
            f'"operation":"{world.operations[operation]}","direction":"{direction}"'
        )
        tail = f',"acr":"{provider.acrs[0 if verified else 1]}"'
    if error != NONE + 1:
        code, error_class = ERRORS[error - 1]
        tail += f',"error_code":"{code}"' if code is not None else ""
        tail += f',"error_class":"{error_class}"' if error_class is not None else ""
    return head, tail


def _hex(values: npt.NDArray[np.uint64]) -> list[str]:
    text = values.astype(">u8").tobytes().hex()
    return [text[i : i + 16] for i in range(0, len(text), 16)]


def _flows(rows: Rows, keys: Keys) -> list[str]:
    hashes = _hex(mix(rows["flow"], keys.flow))
    return [
        f',"flow_id":"h:{h}"' if known else ""
        for h, known in zip(hashes, (rows["flow"] != 0).tolist(), strict=True)
    ]


def _people(rows: Rows, keys: Keys) -> list[str]:
    hashes = _hex(mix(rows["person"], keys.person))
    return [
        f'"h:{h}"' if known else "null" for h, known in zip(hashes, rows["identified"].tolist(), strict=True)
    ]


def _aways(rows: Rows) -> Iterable[str]:
    if not np.any(rows["step"] == CALLBACK):
        return repeat("", len(rows))
    return [f',"authentication_time_s":{s}' if s != NONE else "" for s in rows["away"].tolist()]
