r"""The lines of JSON between task and driver, and how each proves that it knows the key of the run.

    driver  {"nonce": "…"}
    task    {"task": "…", "nonce": "…", "proof": "…"}
    driver  {"proof": "…"}
    task    {"ask": […], …}    a report, and perhaps an ask
    driver  {"units": 50.0, "request_units": 200.0}

The key never travels here: a proof is the HMAC of both nonces. The lines hold numbers only, no data
of a table, and are not encrypted.
"""

import hmac
import json
import secrets
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from loader.pace.report import Ask, Grant, Report, Throttle

KEY_BYTES = 32
MOST_LINE_BYTES = 1 << 16
MOST_PROOF_BYTES = 512


@dataclass(frozen=True)
class Key:
    """The secret of a run; it shows itself in no message. It travels in Spark's closures."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)

    def proof(self, role: str, *parts: str) -> str:
        text = "\n".join([role, *parts]).encode()
        return hmac.digest(self.secret, text, "sha256").hex()

    def proves(self, proof: str, role: str, *parts: str) -> bool:
        return hmac.compare_digest(proof.encode(), self.proof(role, *parts).encode())


def nonce() -> str:
    return secrets.token_hex(16)


def line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def document(line: bytes) -> dict[str, Any]:
    """The document of a line; ValueError if it has none."""
    read = json.loads(line)
    if not isinstance(read, dict):
        raise ValueError("no object")
    return read


def text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"no text {name}")
    return value


def ask_line(ask: Ask) -> bytes:
    report = ask.report
    return line(
        {
            "ask": [ask.number, ask.least, ask.most],
            "totals": [report.settled, report.written, report.rejected, report.returned],
            "requests": report.requests,
            "consumed": report.consumed,
            "throttles": [[*key, count] for key, count in report.throttles.items()],
        }
    )


def read_ask(line: bytes) -> Ask:
    """The ask of a line; ValueError for anything else."""
    read = document(line)
    try:
        number, least, most = read["ask"]
        settled, written, rejected, returned = map(_number, read["totals"])
        consumed = {str(name): _number(units) for name, units in read["consumed"].items()}
        throttles = {
            Throttle(name, str(why), bool(hot)): int(count)
            for name, why, hot, count in read["throttles"]
        }
        report = Report(
            settled, written, rejected, returned, int(read["requests"]), consumed, throttles
        )
        return Ask(report, int(number), _number(least), _number(most))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no ask: {error!r}") from None


def grant_line(grant: Grant) -> bytes:
    most = grant.request_units if isfinite(grant.request_units) else None
    return line({"units": grant.units, "request_units": most})


def read_grant(line: bytes) -> Grant:
    """The grant of a line; ValueError for anything else."""
    read = document(line)
    try:
        most = read["request_units"]
        return Grant(_number(read["units"]), float("inf") if most is None else _number(most))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no grant: {error!r}") from None


def _number(value: Any) -> float:
    number = float(value)
    if not isfinite(number) or number < 0:
        raise ValueError(f"no number of units: {value}")
    return number
