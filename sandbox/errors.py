"""Errors of the sandbox; the message is what the user sees.

SandboxError            exit code 1
└── UsageError          exit code 2: change the command or the machine first
    └── PortBusy
"""


class SandboxError(Exception):
    """`<thing> must <rule>, got <value>: <remedy>`, or `cannot <do what>: <cause>. <remedy>`."""


class UsageError(SandboxError):
    """The command or the machine must change; trying again does not help."""


class PortBusy(UsageError):
    """Another program listens on a port of the sandbox."""
