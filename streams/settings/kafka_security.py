"""How do clients reach brokers that require TLS or SASL? The answer serves both aiokafka and Faust."""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aiokafka.abc import AbstractTokenProvider

from detectors.errors import WatchofficerError
from detectors.policy.types import Fault
from sinks.configuration import Group, HttpUrl, ReadableFile, Secret, formed
from sinks.small_files import read_small_file
from streams.settings.client_credentials import ClientCredentials
from streams.settings.kept_token import no_token
from streams.settings.msk_iam import MskIam
from streams.settings.reread_tls import RereadContext

if TYPE_CHECKING:
    from faust.auth import Credentials

__all__ = ["BrokerSecurity", "UnusableCertificate"]

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"]

AwsRegion = Annotated[str, formed(r"[a-z]{2}(-[a-z]+)+-[0-9]+", "must be a region of AWS: us-gov-west-1")]

#: Bytes of a file that are read of it where it should hold a token.
_MOST_OF_A_TOKEN = 64 << 10
_PASSWORD_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class UnusableCertificate(WatchofficerError, ValueError):
    """A file of ``BrokerSecurity`` does not hold what TLS needs. ``field`` names the setting of the file."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")


class BrokerSecurity(Group):
    """``WATCHOFFICER_BROKER_SECURITY__...``, named as in Kafka's own clients.

    Attributes:
        protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        mechanism: the SASL mechanism.
        username, password: the credentials for PLAIN and SCRAM; id and secret of the client for OAUTHBEARER.
        ca_file: certificates to trust (PEM); the system's certificates if not set.
        cert_file, key_file: the client certificate and its key (PEM, not encrypted), if brokers require one.
        token_file: the file that holds the token for OAUTHBEARER; read for each connection, since tokens expire.
        token_url: of the authorization server that gives tokens for OAUTHBEARER by client credentials.
        token_scope: the scope of these tokens, if the server asks for one.
        aws_region: of an Amazon MSK cluster, whose tokens for OAUTHBEARER are signed with the credentials of AWS.
    """

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: Secret | None = None
    ca_file: ReadableFile | None = None
    cert_file: ReadableFile | None = None
    key_file: ReadableFile | None = None
    token_file: ReadableFile | None = None
    token_url: HttpUrl | None = None
    token_scope: str | None = None
    aws_region: AwsRegion | None = None

    @property
    def encrypted(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def authenticated(self) -> bool:
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def faults(self) -> Iterator[Fault]:
        yield from self._authentication_faults() if self.authenticated else self._needless_authentication()
        if not self.encrypted:
            for name in ("ca_file", "cert_file", "key_file"):
                if getattr(self, name) is not None:
                    yield Fault(
                        (name,),
                        f"is for TLS, which {self.protocol} has not: set the protocol to SSL or SASL_SSL",
                    )
        elif (self.cert_file is None) != (self.key_file is None):
            missing = "key_file" if self.key_file is None else "cert_file"
            yield Fault((missing,), "must be set: a certificate and its key go together")

    def _authentication_faults(self) -> Iterator[Fault]:
        if self.mechanism is None:
            yield Fault(("mechanism",), f"must be set for {self.protocol}, for instance to SCRAM-SHA-512")
        elif self.mechanism in _PASSWORD_MECHANISMS:
            for name in ("username", "password"):
                if getattr(self, name) is None:
                    yield Fault((name,), f"must be set for {self.mechanism}")
        elif self.mechanism == "OAUTHBEARER":
            yield from self._token_faults()
        elif self.mechanism == "GSSAPI" and importlib.util.find_spec("gssapi") is None:
            yield Fault(("mechanism",), "GSSAPI needs the package gssapi, which is not installed")

    def _token_faults(self) -> Iterator[Fault]:
        sources = [
            name for name in ("token_file", "token_url", "aws_region") if getattr(self, name) is not None
        ]
        if not sources:
            yield Fault(
                ("mechanism",),
                "OAUTHBEARER is not supported unless a file holds the token or a server gives one: "
                "set the token file, the token URL, or for Amazon MSK the AWS region too",
            )
        elif len(sources) > 1:
            yield Fault(
                (sources[1],), f"must not be set beside the {sources[0].replace('_', ' ')}: which one counts?"
            )
        elif self.token_url is not None:
            for name in ("username", "password"):
                if getattr(self, name) is None:
                    yield Fault((name,), "must be set for the token URL: id and secret of the client")
        elif self.aws_region is not None:
            if not self.encrypted:
                yield Fault(
                    ("aws_region",),
                    "is for Amazon MSK, which takes IAM over TLS alone: set the protocol to SASL_SSL",
                )
            if importlib.util.find_spec("aws_msk_iam_sasl_signer") is None:
                yield Fault(
                    ("aws_region",),
                    "needs a package that is not installed: pip install --require-hashes -r deploy/msk.lock",
                )

    def _needless_authentication(self) -> Iterator[Fault]:
        for name in (
            "mechanism",
            "username",
            "password",
            "token_file",
            "token_url",
            "token_scope",
            "aws_region",
        ):
            if getattr(self, name) is not None:
                yield Fault(
                    (name,),
                    f"is for SASL, which {self.protocol} has not: set the protocol to SASL_SSL",
                )

    def ssl_context(self) -> ssl.SSLContext | None:
        """Build the TLS context with trusted certificates and client certificate; None without TLS.

        The files are read again for the next connection when they have changed.

        Raises:
            UnusableCertificate: a file does not hold a usable certificate or key.
        """
        if not self.encrypted:
            return None
        files = (self.ca_file, self.cert_file, self.key_file)
        return RereadContext(self._tls, [file for file in files if file is not None])

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (ssl.SSLError, OSError):
            raise UnusableCertificate("ca_file", "holds no certificate in PEM form") from None
        if self.cert_file is not None and self.key_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=_refuse_to_ask)
            except _Encrypted:
                raise UnusableCertificate(
                    "key_file", "is encrypted; a key without a passphrase is needed"
                ) from None
            except (ssl.SSLError, OSError):
                raise UnusableCertificate(
                    "cert_file", "and the key file hold no certificate in PEM form with its key"
                ) from None
        return context

    def aiokafka_kwargs(self) -> dict[str, Any]:
        """Return arguments for aiokafka's clients, without ``bootstrap_servers``.

        Raises:
            UnusableCertificate: a file does not hold a usable certificate or key.
        """
        kwargs: dict[str, Any] = {"security_protocol": self.protocol}
        if self.encrypted:
            kwargs["ssl_context"] = self.ssl_context()
        if self.authenticated:
            kwargs["sasl_mechanism"] = self.mechanism
        provider = self._token_provider()
        if provider is not None:
            kwargs["sasl_oauth_token_provider"] = provider
        elif self.username is not None and self.password is not None:
            kwargs["sasl_plain_username"] = self.username
            kwargs["sasl_plain_password"] = self.password.get_secret_value()
        return kwargs

    def _token_provider(self) -> AbstractTokenProvider | None:
        if self.mechanism != "OAUTHBEARER":
            return None
        if self.token_file is not None:
            return TokenFile(self.token_file)
        if self.aws_region is not None:
            return MskIam(self.aws_region)
        assert self.token_url is not None
        assert self.username is not None
        assert self.password is not None
        return ClientCredentials(self.token_url, self.username, self.password, self.token_scope)

    def faust_credentials(self) -> Credentials | None:
        """Return the value for Faust's ``broker_credentials``; None for PLAINTEXT.

        Raises:
            UnusableCertificate: a file does not hold a usable certificate or key.
        """
        from faust import auth  # importing Faust takes a second, and only `run` and `demo` need it

        context = self.ssl_context()
        if not self.authenticated:
            return auth.SSLCredentials(context) if self.encrypted else None
        provider = self._token_provider()
        if provider is not None:
            return auth.OAuthCredentials(oauth_cb=provider, ssl_context=context)
        if self.mechanism == "GSSAPI":
            return auth.GSSAPICredentials(ssl_context=context)
        return auth.SASLCredentials(
            username=self.username,
            password=self.password.get_secret_value() if self.password else None,
            mechanism=self.mechanism,
            ssl_context=context,
        )


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is not typed
    """Supplies the token in a file, which is read whenever a connection is made.

    While the file holds none, connections fail as they do with a token that the broker refuses: whoever mends the file
    need not restart the worker.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    async def token(self) -> str:
        try:
            text = (await asyncio.to_thread(read_small_file, self._file, _MOST_OF_A_TOKEN)).decode().strip()
        except OSError as error:
            raise no_token(self._file, f"it cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise no_token(self._file, "it is not UTF-8 text") from None
        if not text or len(text.split()) > 1:
            raise no_token(self._file, "it must hold one word, and " + ("has more" if text else "is empty"))
        return text


class _Encrypted(Exception):
    pass


def _refuse_to_ask() -> str:
    # Without this, OpenSSL asks for a passphrase on the terminal, and a service would wait for ever.
    raise _Encrypted
