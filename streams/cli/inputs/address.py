"""At which URL does a process of the same settings serve HTTP, and which certificate of it is trusted?"""

from __future__ import annotations

import ssl

from streams.settings.settings import Settings
from streams.settings.values import base_url

__all__ = ["own_url", "trusted", "why_not"]

#: What listens on every address answers at that of this machine alone.
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, never bound


def own_url(settings: Settings) -> str:
    """Return the URL at which a process of these settings serves HTTP, without a slash at its end."""
    scheme = "http" if settings.http_tls.cert_file is None else "https"
    return base_url(scheme, _ANYWHERE.get(settings.bind, settings.bind), settings.port)


def trusted(settings: Settings, url: str | None) -> ssl.SSLContext:
    """Return the TLS context for a request to a process.

    Args:
        settings: those of the process, where ``url`` is None.
        url: the address that a person has named, whose certificate must be of a known authority; None for that of
            the settings. Its certificate must be the one in the settings, whatever name that holds.

    Raises:
        SettingsError: the certificate in the settings cannot be used.
    """
    context = ssl.create_default_context()
    if url is None and settings.http_context() is not None:
        context = ssl.create_default_context(cafile=settings.http_tls.cert_file)
        context.check_hostname = False  # the address is that of a machine, the name that of a service
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the authority need not stand in the file
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def why_not(error: Exception) -> str:
    """Return why a request was not answered, in a few words."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({found.verify_message})"
        found = found.__cause__ or found.__context__
    return type(error).__name__
