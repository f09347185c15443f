"""The folder, ports and login of a sandbox."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.request import getproxies

from sandbox.errors import UsageError
from sandbox.ports import free_ports

REPOSITORY = Path(__file__).resolve().parent.parent

DATABASE = "dev"
USER = "loader_dev"
# Not a secret: the servers listen on the loopback interface only.
PASSWORD = "Sandbox-0nly"  # noqa: S105

REGION = "us-east-1"


@dataclass(frozen=True)
class Settings:
    """The settings of one sandbox. Sandboxes with different folders and ports are independent."""

    directory: Path = Path(".sandbox")
    venv: Path = REPOSITORY / ".venv-sandbox"
    redshift_port: int = 15439
    postgres_port: int = 15440
    dynamodb_port: int = 18000

    def __post_init__(self) -> None:
        object.__setattr__(self, "directory", Path(self.directory).absolute())
        object.__setattr__(self, "venv", Path(self.venv).absolute())
        for name, port in self.ports().items():
            if not 1 <= port <= 65535:
                raise UsageError(
                    f"{name} must be between 1 and 65535, got {port}: set another port"
                )
        if len(set(self.ports().values())) < 3:
            raise UsageError(
                f"the ports of the sandbox must differ, got {self.ports()}: set another port"
            )

    @classmethod
    def on_free_ports(cls, directory: Path) -> Settings:
        """Settings for tests and other temporary sandboxes."""
        redshift, postgres, dynamodb = free_ports(3)
        return cls(
            directory, redshift_port=redshift, postgres_port=postgres, dynamodb_port=dynamodb
        )

    @property
    def statement_log(self) -> Path:
        """The log of all statements that clients sent; see `sandbox.statements`."""
        return self.directory / "statements.jsonl"

    def ports(self) -> dict[str, int]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("_port")}

    def env(self) -> dict[str, str]:
        """The environment that makes dbt, the loader and the AWS tools use this sandbox."""
        aws = f"http://127.0.0.1:{self.dynamodb_port}"
        return {
            "REDSHIFT_HOST": "127.0.0.1",
            "REDSHIFT_PORT": str(self.redshift_port),
            "REDSHIFT_USER": USER,
            "REDSHIFT_PASSWORD": PASSWORD,
            "REDSHIFT_DATABASE": DATABASE,
            "AWS_ENDPOINT_URL_DYNAMODB": aws,
            "AWS_ENDPOINT_URL_S3": aws,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": REGION,
            **_instead_of_this_machine(),
        }

    def save(self) -> None:
        """Save the ports, so that `status`, `env` and `down` need no options."""
        (self.directory / "settings.json").write_text(json.dumps(self.ports()) + "\n")


def _instead_of_this_machine() -> dict[str, str]:
    """Replaces variables of this machine that would lead away from the sandbox."""
    variables = {}
    if "AWS_REGION" in os.environ:
        variables["AWS_REGION"] = REGION
    proxies = getproxies()
    if "http" in proxies and proxies.get("no") != "*":
        hosts = ",".join(filter(None, [proxies.get("no"), "127.0.0.1"]))
        # The lower-case one takes precedence, where it is set.
        variables |= {"NO_PROXY": hosts, "no_proxy": hosts}
    return variables


def load_settings(environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Options take precedence over SANDBOX_* variables, and those over the saved ports."""
    names = {"directory": "SANDBOX_DIR"} | {
        f.name: f"SANDBOX_{f.name.upper()}" for f in fields(Settings) if f.name != "directory"
    }
    given = {name: environ[variable] for name, variable in names.items() if environ.get(variable)}
    given |= {name: str(value) for name, value in flags.items() if value is not None}
    directory = Path(given.get("directory", Settings.directory))
    chosen: dict[str, object] = {**_saved_ports(directory), **given}
    chosen |= {n: _port(names[n], str(v)) for n, v in chosen.items() if n.endswith("_port")}
    return Settings(**chosen)  # type: ignore[arg-type]


def _saved_ports(directory: Path) -> dict[str, object]:
    file = directory / "settings.json"
    if not file.exists():
        return {}
    try:
        return {name: int(port) for name, port in json.loads(file.read_text()).items()}
    except (ValueError, AttributeError) as error:
        raise UsageError(
            f"{file} must be a JSON object of ports, got {error}: delete it"
        ) from error


def _port(name: str, value: str) -> int:
    if not value.isdecimal():
        raise UsageError(f"{name} must be a port number, got {value!r}: correct it")
    return int(value)


def user_environment() -> dict[str, str]:
    """The caller's environment without variables that would change a server."""
    excluded = ("AWS_", "PYTHON", "PG", "SANDBOX_", "REDSHIFT_")
    return {k: v for k, v in os.environ.items() if not k.startswith(excluded)}
