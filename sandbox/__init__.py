"""The services of the project on one machine, without an AWS account.

Amazon Redshift is played by PostgreSQL behind a wire shim, DynamoDB and S3 by ministack.
`python -m sandbox up` starts them; tests use `Sandbox` directly.
"""

from typing import TYPE_CHECKING

from sandbox.errors import PortBusy, SandboxError
from sandbox.settings import Settings

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox

__all__ = ["PortBusy", "Sandbox", "SandboxError", "Settings"]


def __getattr__(name: str) -> object:
    # Imported when asked for: the shim is of this package too, and needs no pyarrow.
    if name == "Sandbox":
        from sandbox.sandbox import Sandbox

        return Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
