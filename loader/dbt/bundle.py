"""A bundle: all that a run needs of a dbt project, in one JSON file without a secret.

With it, a run needs neither dbt nor the project (docs/bundle.md). docs/bundle.schema.json is
generated from this module.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from loader.dbt.exposures import shared_tables
from loader.dbt.gate_result import Gate
from loader.dbt.inputs import Inputs
from loader.errors import Refused, StorageFailed, reason, subject_of
from loader.items.export import Export
from loader.settings import Settings
from loader.storage.location import S3, Location
from loader.warehouse.connection import DRIVERS, Connection, source_connection
from loader.warehouse.jdbc_source import URL, JdbcSource, read_source, unset_variables
from loader.warehouse.sign_in import SECRET, SignIn

SCHEMA: Literal[1] = 1
AGAIN = "make it again with `loader bundle`"
# A bundle of a thousand exports has 2 MB. Another file is not read into memory.
MOST_BYTES = 64 << 20
# The policy of a remedy: the storage of runs and a bundle may be in different places.
STORAGE_POLICY = "docs/iam/storage-s3.json"


@dataclass(frozen=True)
class Origin:
    """The dbt project, as its last manifest names it.

    `invocation` is the id of the dbt command that wrote the manifest, `generated` its time.
    `commit` is that of git if dbt recorded it (docs/bundle.md), or empty.
    """

    project: str
    profile: str
    target: str
    invocation: str
    generated: str
    commit: str = ""


@dataclass(frozen=True)
class BundledWarehouse:
    """A connection without its secrets; `sign_in` says how the loader signs in.

    With a `source`, that of `--jdbc`, it has the address, and the names of the variables with user
    and password, unless `sign_in` is by a secret of AWS.
    """

    kind: str
    host: str
    port: int
    database: str
    parameters: tuple[tuple[str, str], ...]
    sign_in: SignIn
    source: JdbcSource | None = None

    @property
    def signs_in_with(self) -> str:
        if self.source is None or self.sign_in.method == SECRET:
            return str(self.sign_in)
        return f"variables {', '.join(self.source.variables) or 'none'}"

    def connection(self, settings: Settings) -> Connection:
        secret = settings.secret
        if self.source:
            secret = secret or self.sign_in.secret or None
            unset = unset_variables(() if secret else self.source.variables, str(settings.bundle))
            if unset:
                raise Refused(unset, str(settings.bundle))
            return source_connection(self.source, secret, settings.allow_plain_http)
        return Connection(
            kind=self.kind,
            host=self.host,
            port=self.port,
            database=self.database,
            sign_in=SignIn(SECRET, secret=secret) if secret else self.sign_in,
            parameters=self.parameters,
            allow_plain_http=settings.allow_plain_http,
        )


@dataclass(frozen=True)
class Bundle:
    """`loader` is the version that made it, `made` the time in UTC.

    `tables` has the table of each export that the project declares, also of those that are not
    among the `exports`; `gates` has the results of dbt's tests by export. `checksum` is that of all
    other fields: results of tests hold for what was built and tested.
    """

    schema: Literal[1]
    loader: str
    made: str
    origin: Origin
    warehouse: BundledWarehouse
    exports: tuple[Export, ...]
    tables: dict[str, str]
    gates: dict[str, Gate]
    checksum: str = ""

    # pydantic: a bundle of another version may have other fields.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    def encoded(self) -> bytes:
        document = asdict(self)
        document["checksum"] = _checksum(document)
        return json.dumps(document, indent=1, default=str).encode() + b"\n"

    def contradiction(self) -> str:
        """What the types of the fields do not rule out, or an empty text."""
        source = self.warehouse.source
        if source and not URL.match(source.url):
            return f"a warehouse with the URL {source.url}"
        if not source and self.warehouse.kind not in DRIVERS:
            return f"a warehouse of kind {self.warehouse.kind}"
        missing = [export.name for export in self.exports if export.name not in self.gates]
        return f"no gate of {', '.join(missing)}" if missing else ""

    def selected(self, names: Sequence[str], place: str) -> list[Export]:
        """The named exports, or all of them; raises `Refused` for a name that it does not have."""
        by_name = {export.name: export for export in self.exports}
        problems = [
            f"export must be one of the bundle {place}, got {name}: it has {', '.join(by_name)}; "
            "make it again with this export"
            for name in dict.fromkeys(names)
            if name not in by_name
        ]
        if problems:
            raise Refused(problems, subject_of(names))
        return [by_name[name] for name in dict.fromkeys(names or by_name)]


def read_bundle(place: str, allow_plain_http: bool = False) -> Bundle:
    """The bundle in a file or on S3; raises `Refused` if there is none of this version."""
    folder, name = _placed(place, allow_plain_http)
    try:
        with folder.open(name) as stream:
            content = bytes(stream.read(MOST_BYTES + 1))
    except (FileNotFoundError, NotADirectoryError):
        rule = f"bundle {place} must exist, got none"
        raise Refused(f"{rule}: correct --bundle, or {AGAIN}") from None
    except StorageFailed as error:
        remedy = _remedy(error, "--bundle", place, "s3:GetObject")
        raise Refused(f"cannot read the bundle {place}: {error.cause}. {remedy}") from None
    bundle = _decoded(content)
    if isinstance(bundle, Bundle):
        return bundle
    rule = f"bundle {place} must be one of this version of the loader, got {bundle}"
    raise Refused(f"{rule}: {AGAIN}")


def _decoded(content: bytes) -> Bundle | str:
    """The bundle, or what the content is instead."""
    if len(content) > MOST_BYTES:
        return f"a file of more than {MOST_BYTES >> 20} MB"
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        return f"not JSON ({reason(error)})"
    if other := _other_schema(document):
        return other
    try:
        bundle = TypeAdapter(Bundle).validate_python(document)
    except ValidationError as error:
        places = dict.fromkeys(".".join(map(str, e["loc"])) for e in error.errors())
        return f"wrong fields ({', '.join(places)})"
    return bundle.contradiction() or _change(document) or bundle


def write_bundle(bundle: Bundle, place: str, allow_plain_http: bool = False) -> None:
    """Write the bundle; a file on this machine is its owner's only. Raises `StorageFailed`."""
    folder, name = _placed(place, allow_plain_http)
    try:
        folder.write(name, bundle.encoded())
    except StorageFailed as error:
        remedy = _remedy(error, "--output", place, "s3:PutObject")
        raise StorageFailed("write to", place, error.cause, remedy) from error


def bundle_inputs(settings: Settings, names: Sequence[str]) -> Inputs:
    """The inputs of a run that a bundle has; raises `Refused` without a bundle."""
    place = str(settings.bundle)
    bundle = read_bundle(place, settings.allow_plain_http)
    exports: list[Export] = []
    problems: list[str] = []
    try:
        exports = bundle.selected(names, place)
    except Refused as refused:
        problems += refused.problems
    problems += shared_tables(exports, bundle.tables)
    skipped = settings.skip_dbt_gate
    gates = {e.name: replace(bundle.gates[e.name], skipped=skipped) for e in exports}
    connection = None
    try:
        connection = _connection(bundle, settings)
    except Refused as refused:
        problems += refused.problems
    return Inputs(tuple(exports), bundle.tables, gates, connection, None, tuple(problems))


def _connection(bundle: Bundle, settings: Settings) -> Connection:
    """That of the bundle, or of the database of `--jdbc`."""
    if settings.jdbc:
        return source_connection(
            read_source(settings.jdbc), settings.secret, settings.allow_plain_http
        )
    return bundle.warehouse.connection(settings)


def bundled_export(settings: Settings, name: str) -> Export:
    """An export of the bundle; other exports may write its table."""
    place = str(settings.bundle)
    (export,) = read_bundle(place, settings.allow_plain_http).selected([name], place)
    return export


def _remedy(error: StorageFailed, option: str, place: str, permission: str) -> str:
    """The remedy for a bundle. S3 denies access to an object that does not exist, too, unless the
    policy allows to list its prefix."""
    granted = f"{permission} on {place}"
    if permission == "s3:GetObject":
        granted = f"{granted}, if it exists"
    return error.remedy.replace("--storage", option).replace(STORAGE_POLICY, granted)


def _checksum(document: dict[str, Any]) -> str:
    fields = {name: value for name, value in document.items() if name != "checksum"}
    text = json.dumps(fields, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _change(document: dict[str, Any]) -> str:
    """Whether another program or a person has changed a field, or an empty text."""
    is_same = document.get("checksum") == _checksum(document)
    return "" if is_same else "one that was changed after it was made"


def _other_schema(document: Any) -> str:
    """What the document is instead of a bundle of this schema, or an empty text."""
    if not isinstance(document, dict):
        return "another document"
    schema = document.get("schema")
    return "" if schema == SCHEMA else f"schema {schema}, not {SCHEMA}"


def _placed(place: str, allow_plain_http: bool) -> tuple[Location, str]:
    """Folder and name; raises `Refused` if S3 cannot be asked in private."""
    if not place.startswith(S3):
        path = Path(place)
        return Location(str(path.parent)), path.name
    address, _, name = place.rpartition("/")
    folder = Location(address)
    if problem := folder.plain_text_problem(allow_plain_http):
        raise Refused(problem)
    return folder, name


def bundle_schema() -> dict[str, Any]:
    """The JSON Schema of a bundle."""
    schema = TypeAdapter(Bundle).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
