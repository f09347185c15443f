"""What can go wrong with the sandbox, as a person is told it.

SandboxError            exit code 1
└── UsageError          exit code 2: the call or the machine must change first
    └── PortBusy
"""


class SandboxError(Exception):
    """Reads `<thing> <rule>, got <value>: <remedy>`."""


class UsageError(SandboxError):
    """Trying again without a change cannot help."""


class PortBusy(UsageError):
    """Somebody else listens on a port of the sandbox."""
