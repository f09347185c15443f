"""Local stand-ins for Amazon Redshift, DynamoDB and S3, without an AWS account.

PostgreSQL behind a wire shim stands in for Redshift, ministack for DynamoDB and S3.
`python -m sandbox up` starts the servers; tests use `Sandbox` directly.
"""

from typing import TYPE_CHECKING

from sandbox.errors import PortBusy, SandboxError
from sandbox.settings import Settings

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox

__all__ = ["PortBusy", "Sandbox", "SandboxError", "Settings"]


def __getattr__(name: str) -> object:
    # Imported on first use, because the shim is in this package too and needs no pyarrow.
    if name == "Sandbox":
        from sandbox.sandbox import Sandbox

        return Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
