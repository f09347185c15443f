"""The emulator of DynamoDB, S3, SNS, SQS and STS: ministack, installed in `.venv-sandbox`.

It keeps everything in memory, so tables and buckets are lost when it stops.
"""

from __future__ import annotations

import http.client

from sandbox.errors import UsageError
from sandbox.processes import Daemon
from sandbox.settings import Settings, user_environment


class DynamoDB:
    def __init__(self, settings: Settings) -> None:
        self.port = settings.dynamodb_port
        self._program = settings.venv / "bin" / "ministack"
        self.daemon = Daemon("dynamodb", settings.directory)

    def require_installed(self) -> None:
        if not self._program.exists():
            raise UsageError(
                f"the DynamoDB emulator must be installed, got no {self._program}: run `make setup`"
            )

    def start(self) -> None:
        """Start without waiting; `wait` returns when the server is ready."""
        self.daemon.start(
            [str(self._program)],
            {
                **user_environment(),
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "SERVICES": "dynamodb,s3,sns,sqs,sts",
                "LOG_LEVEL": "WARNING",
                "TMPDIR": str(self.daemon.folder),
            },
        )

    def wait(self) -> None:
        self.daemon.require_ready(self.is_ready)

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(
                "POST",
                "/",
                body="{}",
                headers={
                    "Content-Type": "application/x-amz-json-1.0",
                    "X-Amz-Target": "DynamoDB_20120810.ListTables",
                },
            )
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
