"""A Security Token Service with a script: whom it trusts, and how long its credentials live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

from tests.support.aws_server import Call, aws_server, xml_error

ROLE = "arn:aws:iam::222222222222:role/table-writer"
EXTERNAL_ID = "shop-7f3a"
ANSWER = """<AssumeRoleResponse><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{mark}Secret</SecretAccessKey>
<SessionToken>{mark}Token</SessionToken><Expiration>{expires}</Expiration>
</Credentials><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId>
<Arn>arn:aws:sts::222222222222:assumed-role/table-writer/x</Arn></AssumedRoleUser>
</AssumeRoleResult></AssumeRoleResponse>"""


@dataclass
class Sts:
    """Gives credentials for `ROLE` with `EXTERNAL_ID`, which live for some seconds.

    `issued` has the time of each access key that it gave; their secrets begin with `mark`. With
    `trusted`, it answers only requests that this key signs; with a `message`, none.
    """

    seconds: float = 3600
    mark: str = "Assumed"
    trusted: str = ""
    message: str = ""
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    issued: dict[str, float] = field(default_factory=dict)

    def answer(self, call: Call) -> tuple[int, str]:
        if self.message:
            return xml_error("SignatureDoesNotMatch", self.message)
        asked = (call.parameters["RoleArn"], call.parameters.get("ExternalId"))
        known = self.trusted in ("", call.key_id)
        if not known or (call.action, *asked) != ("AssumeRole", ROLE, EXTERNAL_ID):
            return xml_error(
                "AccessDenied",
                "User: arn:aws:iam::111111111111:user/loader is not authorized to perform: "
                f"sts:AssumeRole on resource: {asked[0]}",
            )
        now = time.time()
        key = f"ASIA{self.mark}{len(self.issued)}"
        self.issued[key] = now
        expires = datetime.fromtimestamp(now + self.seconds, timezone.utc).isoformat()
        return 200, ANSWER.format(key=key, mark=self.mark, expires=expires)

    def is_valid(self, key: str) -> bool:
        """Whether the key was given, and has not expired."""
        return time.time() < self.issued.get(key, -1e12) + self.seconds


@contextmanager
def scripted_sts(seconds: float = 3600, mark: str = "Assumed") -> Iterator[Sts]:
    sts = Sts(seconds, mark)
    with aws_server(sts.answer) as server:
        sts.url, sts.calls = server.url, server.calls
        yield sts
