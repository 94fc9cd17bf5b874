"""Which exceptions does this project raise of its own?

All that a caller may want to catch derive from ``WatchofficerError``; the second base, where there is one, is the
built-in exception that the class stands for. The message of each says what to do.

WatchofficerError
├── _Fault                      streams.cli: the demo cannot be run as asked; ends the command
├── AddressTaken                streams.http: HTTP cannot be served on the configured address; ends the command
├── ApiError                    streams.http: a request is answered with an error
├── BrokerUnavailable           streams.kafka: the embedded broker cannot be started
├── Failed                      streams.demo: the worker, the traffic or the observer of a demo has failed
├── FormatError (ValueError)    streams.segments: a record of an internal topic cannot be read by this version
│   └── NewerVersion            streams.segments: a newer version wrote the record
├── LeaseLost                   streams.runtime: this worker stood still for too long and may not write any more
│   └── TakenOver               streams.evaluate: another worker has claimed the environments of this one
├── ListenError                 streams.tail: connections cannot be taken at an address; ends the command
├── LogReplaced (ValueError)    streams.ingest: the input topic is not the one that was read before
├── NotARoute                   streams.demo: an exercise would reach those whom an outage reaches; ends the command
├── PolicyError (ValueError)    detectors.policy: a policy cannot be used; the error lists every problem
├── PortTaken                   streams.demo: HTTP cannot be served on the requested port
├── RegistryAway                streams.mappings: a schema registry does not answer
├── SettingsError (ValueError)  streams.settings: environment variables that cannot be used
├── SourceError                 streams.replay: an input cannot be read
├── TopicProblem                streams.kafka: a topic is missing, or its settings are not as they must be
├── Unreadable                  streams.records: a record that decides verdicts cannot be read; ends the worker
├── UnknownName (ValueError)    detectors.policy: a value of a policy names nothing that is known
└── UnusableCertificate (ValueError)  streams.settings: a file does not hold what TLS needs
"""

from __future__ import annotations

__all__ = ["WatchofficerError"]


class WatchofficerError(Exception):
    """The root of all exceptions that this project defines and lets out of a module."""
