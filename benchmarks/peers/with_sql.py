"""How do DuckDB and chDB do the job on a file? ``with_sql.py duckdb|chdb FILE`` prints the answer as JSON.

One thread reads the lines, of which only four fields are parsed. Nothing is kept, and no line is validated.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

_DUCKDB = """
SELECT CAST(epoch_ms(date_trunc('minute', occurred_at)) AS BIGINT), auth_method, count(*),
       count(DISTINCT user_hash) FILTER (WHERE outcome = 'failure')
FROM read_json('{path}', format = 'newline_delimited', columns = {{
    occurred_at: 'TIMESTAMP', auth_method: 'VARCHAR', outcome: 'VARCHAR', user_hash: 'VARCHAR'}})
GROUP BY 1, 2 ORDER BY 1, 2
"""
_CHDB = """
SELECT toUnixTimestamp(toStartOfMinute(parseDateTime64BestEffort(occurred_at, 3, 'UTC'))) * 1000, auth_method,
       count(), uniqExactIf(user_hash, outcome = 'failure')
FROM file('{path}', JSONEachRow,
          'occurred_at String, auth_method LowCardinality(String), outcome LowCardinality(String), user_hash String')
GROUP BY 1, 2 ORDER BY 1, 2
SETTINGS max_threads = 1, max_parsing_threads = 1, input_format_skip_unknown_fields = 1
"""

Rows = list[list[int | str]]


def with_duckdb() -> Callable[[str], Rows]:
    """Return what answers by DuckDB."""
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    return lambda path: [list(row) for row in connection.execute(_DUCKDB.format(path=path)).fetchall()]


def with_chdb() -> Callable[[str], Rows]:
    """Return what answers by chDB."""
    from chdb.session import Session

    session = Session()
    return lambda path: [
        [int(row[0]), row[1], int(row[2]), int(row[3])]
        for row in json.loads(session.query(_CHDB.format(path=path), "JSONCompact").bytes())["data"]
    ]


def main(engine: str, path: str) -> None:
    """Answer once for practice, and once for the time; print answer and time."""
    ask = {"duckdb": with_duckdb, "chdb": with_chdb}[engine]()
    ask(path)
    began = time.perf_counter()
    windows = ask(path)
    print(json.dumps({"seconds": time.perf_counter() - began, "windows": windows}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
