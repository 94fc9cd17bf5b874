"""Is a secret among the files of the repository? ``make secrets`` looks for the forms that keys of services have.

What merely looks random is not reported: hashes and made identifiers stand everywhere here. A line that has to look
like a secret ends in ``pragma: allowlist secret``. Nothing is sent anywhere to learn whether a key works.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from tests.supply.lock import ROOT

__all__ = ["secrets_in"]

_FORMS = (
    *(
        "ArtifactoryDetector",
        "AWSKeyDetector",
        "AzureStorageKeyDetector",
        "BasicAuthDetector",
        "CloudantDetector",
    ),
    *("DiscordBotTokenDetector", "GitHubTokenDetector", "IbmCloudIamDetector", "IbmCosHmacDetector"),
    *("JwtTokenDetector", "MailchimpDetector", "NpmDetector", "PrivateKeyDetector", "SendGridDetector"),
    *("SlackDetector", "SoftlayerDetector", "SquareOAuthDetector", "StripeDetector", "TwilioKeyDetector"),
)
_FILTERS = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    "detect_secrets.filters.heuristic.is_prefixed_with_dollar_sign",
    "detect_secrets.filters.heuristic.is_templated_secret",
)


def secrets_in(files: Iterable[Path]) -> list[str]:
    """A line for each secret: its file, line and kind, and never the secret."""
    settings = {
        "plugins_used": [{"name": name} for name in _FORMS],
        "filters_used": [{"path": path} for path in _FILTERS],
    }
    with transient_settings(settings):
        found = SecretsCollection()
        for file in files:
            found.scan_file(str(file))
        return sorted(f"{name}:{one.line_number}: {one.type}" for name, one in found)


def main() -> int:
    """Look through all files that git knows; 1 if a secret is found, 2 if there is nothing to look through."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = [ROOT / name for name in listed.stdout.split("\0") if name and not name.endswith(".lock")]
    if not files:
        print(f"Not looked through: git lists no file: {listed.stderr.strip()}", file=sys.stderr)
        return 2
    with ProcessPoolExecutor() as pool:
        found = [
            line for lines in pool.map(secrets_in, ([file] for file in files), chunksize=50) for line in lines
        ]
    print(*found, f"{len(files)} files, {len(found)} secrets", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
