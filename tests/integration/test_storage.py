"""The files of a run on S3: whole or not there, and each failure is one message."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loader.errors import Refused, StorageFailed
from loader.report import files, history
from loader.report.status import statuses
from loader.settings import Settings
from loader.storage import s3, s3_upload
from loader.storage.changeset import Extent, read_extent, write_part
from loader.storage.location import Location
from loader.storage.lock_file import LOCK_FILE, lock_of_this_process
from sandbox import Sandbox
from tests.support.changesets import changes, keys
from tests.support.example_report import COMPLETE
from tests.support.html_reader import Reader
from tests.support.marked_processes import mark, wait_for_end
from tests.support.projects import Project, export, project
from tests.support.relations import sixty_rows
from tests.support.repository import REPOSITORY
from tests.support.tls_proxies import Certificate, Request, http_proxy, make_certificate

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.stored_items"
PART = s3_upload.PART_BYTES
POLICY = "Grant docs/iam/storage-s3.json, and check the policies of the bucket and of its KMS key"
OTHERWISE = "Check --storage, the bucket's policy and AWS_ENDPOINT_URL_S3"
WRITE_HALF = """
import os, signal
from loader.storage.location import Location

with Location("s3://files/killed").create("x") as stream:
    stream.write(bytes(20 << 20))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def client(s3: Any) -> Any:
    """A client that has none of the loader's code, and the bucket `files`."""
    s3.create_bucket(Bucket="files")
    return s3


@pytest.fixture(autouse=True)
def environment(sandbox_env: dict[str, str], client: Any) -> None:
    """The sandbox's variables, and the bucket."""


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Location:
    return Location("s3://files/a b/é") / str(request.node.name)


def visible(client: Any, location: Location) -> list[str]:
    """The names of the objects in a folder."""
    prefix = location.uri.removeprefix("s3://files/") + "/"
    answer = client.list_objects_v2(Bucket="files", Prefix=prefix)
    return [entry["Key"].removeprefix(prefix) for entry in answer.get("Contents", ())]


def incomplete(client: Any) -> list[str]:
    answer = client.list_multipart_uploads(Bucket="files")
    return [upload["Key"] for upload in answer.get("Uploads", ())]


def proxied(monkeypatch: pytest.MonkeyPatch, port: int, scheme: str = "http") -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"{scheme}://127.0.0.1:{port}")


def error(code: str, message: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, 2 * PART + 1])
def test_a_file_is_read_as_it_was_written(folder: Location, client: Any, size: int) -> None:
    content = os.urandom(size)
    folder.write("x", b"old")
    with folder.replace("x") as stream:
        for start in range(0, size, 1 << 20):
            stream.write(content[start : start + (1 << 20)])
        assert stream.tell() == size

    assert folder.read("x") == content
    with folder.open("x") as stream:
        stream.seek(size // 2)
        assert stream.read(10) == content[size // 2 : size // 2 + 10]
        stream.seek(-size // 3, 2)
        assert stream.read() == content[size - -(-size // 3) :]
    assert (visible(client, folder), incomplete(client)) == (["x"], [])


def test_a_slice_of_a_part_is_read_by_ranges(
    folder: Location, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Random, so that the file has its full size: 14 MB.
    incoming = [changes(n * 1_000, 1_000, request=os.urandom(1_500).hex()) for n in range(40)]
    incoming = [batch.slice(0, 500) for batch in incoming]
    with http_proxy(sandbox.settings.dynamodb_port) as proxy:
        proxied(monkeypatch, proxy.port)
        part = write_part(folder, "p.arrow", 0, incoming)
        sent = len(proxy.requests)
        last = len(part.batches)
        read = list(read_extent(folder, Extent(0, "p.arrow", last - 2, last)))

    assert keys(read) == keys(incoming)[-sum(count for count, _ in part.batches[-2:]) :]
    assert len(proxy.requests) - sent == 1


@pytest.mark.parametrize("parts", [0, 1, 3])
@pytest.mark.parametrize("failure", [OSError("no rows"), KeyboardInterrupt(), GeneratorExit()])
def test_a_file_whose_writer_fails_does_not_appear(
    folder: Location, client: Any, parts: int, failure: BaseException
) -> None:
    folder.write("old", b"old")

    def write_half(name: str) -> None:
        with folder.replace(name) as stream:
            stream.write(bytes(parts * PART))
            stream.write(b"half")
            stream.close()  # as a library does with the stream that it writes to
            raise failure

    for name in ("new", "old"):
        with pytest.raises(type(failure)):
            write_half(name)

    assert (visible(client, folder), folder.read("old")) == (["old"], b"old")
    assert incomplete(client) == []


def test_a_process_that_is_killed_leaves_no_file(client: Any, sandbox: Sandbox) -> None:
    process = subprocess.run(
        [sys.executable, "-c", WRITE_HALF], env=os.environ | sandbox.env(), check=False
    )
    parts = incomplete(client)
    for upload in client.list_multipart_uploads(Bucket="files")["Uploads"]:  # as a lifecycle rule
        client.abort_multipart_upload(
            Bucket="files", Key=upload["Key"], UploadId=upload["UploadId"]
        )

    assert (process.returncode, parts) == (-signal.SIGKILL, ["killed/x"])
    assert visible(client, Location("s3://files/killed")) == []


@pytest.mark.parametrize("size", [1, PART + 1])
def test_a_new_file_does_not_replace_one_of_another_run(
    folder: Location, client: Any, size: int
) -> None:
    folder.write("x", b"of another run")
    with pytest.raises(FileExistsError) as refused, folder.create("x") as stream:
        stream.write(bytes(size))

    assert (
        str(refused.value) == f"{folder}/x must be a new file, got one of another run: load again"
    )
    assert (folder.read("x"), incomplete(client)) == (b"of another run", [])


def test_a_file_that_is_replaced_during_its_read_is_reported(folder: Location) -> None:
    folder.write("x", bytes(3 * PART))
    with folder.open("x") as stream:
        folder.write("x", bytes(3 * PART - 1))
        with pytest.raises(StorageFailed) as failed:
            stream.read()

    cause = "another program replaced it during the read. Run the command again"
    assert str(failed.value) == f"cannot read {folder}/x: {cause}"


def test_a_folder_of_more_than_a_thousand_files_is_removed_and_no_other(
    folder: Location, client: Any
) -> None:
    prefix = folder.uri.removeprefix("s3://files/")
    for number in range(1_001):
        client.put_object(Bucket="files", Key=f"{prefix}/a/{number}", Body=b"")
    (Location(f"{folder}-2")).write("x", b"")
    folder.delete()

    assert visible(client, folder) == []
    assert visible(client, Location(f"{folder}-2")) == ["x"]


def test_a_bucket_in_another_region_is_written_and_read(
    client: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_bucket(
        Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    location = Location("s3://far/x")
    assert location.problem() is None
    with location.create("x") as stream:
        stream.write(bytes(PART + 1))

    assert location.read("x") == bytes(PART + 1)


def test_tasks_get_region_and_endpoint_from_the_driver_and_find_credentials_themselves(
    folder: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("x", b"1")
    sent = pickle.dumps(folder / "y")
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)

    received = pickle.loads(sent)  # noqa: S301

    assert received.known_bucket.region == "us-east-1"
    assert b"AWS_ACCESS_KEY_ID" not in sent
    received.write("z", b"2")
    assert received.read("z") == b"2"


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (403, "AccessDenied", f"AccessDenied: Access Denied. {POLICY}"),
        (
            400,
            "ExpiredToken",
            "ExpiredToken: The token has expired. Sign in again; for long loads use a role, or a "
            "credentials file that is renewed",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "SignatureDoesNotMatch: It does not match. Check AWS_PROFILE, and the credentials on "
            "this machine and on the executors",
        ),
        (
            403,
            "RequestTimeTooSkewed",
            "RequestTimeTooSkewed: The difference is too large. Set the clock of this machine",
        ),
        (501, "NotImplemented", f"NotImplemented: A header is not implemented. {OTHERWISE}"),
    ],
)
def test_a_request_that_s3_refuses_is_one_message_with_cause_and_remedy(
    folder: Location,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    cause: str,
) -> None:
    message = cause.removeprefix(f"{code}: ").partition(". ")[0] + "."
    answer = (status, error(code, message))
    actions = {
        "write to": lambda: folder.write("x", b"1"),
        "read": lambda: folder.read("x"),
        "remove": lambda: folder.remove("x"),
    }
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with http_proxy(sandbox.settings.dynamodb_port, fault=lambda _: answer) as proxy:
        proxied(monkeypatch, proxy.port)
        for action, run in actions.items():
            with pytest.raises(StorageFailed) as failed:
                run()
            assert str(failed.value) == f"cannot {action} {folder}/x: {cause}"
        assert folder.problem() == f"cannot write to --storage {folder}: {cause}"


def test_a_write_that_fails_in_its_last_request_leaves_no_file(
    folder: Location, client: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(request: Request) -> tuple[int, bytes] | None:
        completes = request.method == "POST" and "uploadId" in request.path
        return (403, error("AccessDenied", "Access Denied")) if completes else None

    with http_proxy(sandbox.settings.dynamodb_port, fault=fault) as proxy:
        proxied(monkeypatch, proxy.port)
        with pytest.raises(StorageFailed) as failed, folder.create("x") as stream:
            stream.write(bytes(PART + 1))

    assert str(failed.value) == (
        f"cannot write to {folder}/x: AccessDenied: Access Denied. {POLICY}"
    )
    assert (visible(client, folder), incomplete(client)) == ([], [])


def test_objects_that_cannot_be_deleted_are_reported(
    folder: Location, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = b"<Error><Key>x</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

    def fault(request: Request) -> tuple[int, bytes] | None:
        body = b"<DeleteResult>" + denied + b"</DeleteResult>"
        return (200, body) if request.method == "POST" else None

    folder.write("x", b"1")
    with http_proxy(sandbox.settings.dynamodb_port, fault=fault) as proxy:
        proxied(monkeypatch, proxy.port)
        with pytest.raises(StorageFailed) as failed:
            folder.delete()

    assert str(failed.value) == f"cannot remove {folder}: AccessDenied: Access Denied. {POLICY}"


def test_an_answer_that_breaks_off_is_read_again(
    folder: Location, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, gets = os.urandom(1_000), []

    def fault(request: Request) -> tuple[int, None] | None:
        gets.append(request.method)
        return (200, None) if gets == ["GET"] else None

    folder.write("x", content)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with http_proxy(sandbox.settings.dynamodb_port, fault=fault) as proxy:
        proxied(monkeypatch, proxy.port)

        assert folder.read("x") == content
    assert gets == ["GET", "GET"]


def test_credentials_of_a_file_are_read_again_when_they_have_expired(
    folder: Location, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"

    def save(key: str) -> None:
        file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = s\n")

    expired: set[str] = set()

    def fault(request: Request) -> tuple[int, bytes] | None:
        is_expired = request.key_id in expired
        return (400, error("ExpiredToken", "The token has expired.")) if is_expired else None

    save("first")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with http_proxy(sandbox.settings.dynamodb_port, fault=fault) as proxy:
        proxied(monkeypatch, proxy.port)
        with folder.create("x") as stream:
            stream.write(bytes(PART))
            expired.add("first")
            save("second")
            stream.write(bytes(PART))

        signers = [request.key_id for request in proxy.requests]
        assert folder.read("x") == bytes(2 * PART)

    assert signers == ["first"] * 3 + ["second"] * 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls") / "ours", "IP:127.0.0.1")


def test_an_s3_that_cannot_be_reached_or_trusted_is_one_message(
    folder: Location,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Certificate,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    proxied(monkeypatch, 1)
    unreachable = folder.problem()
    with http_proxy(sandbox.settings.dynamodb_port, certificate) as proxy:
        proxied(monkeypatch, proxy.port, "https")
        untrusted = folder.problem()

    begin = f"cannot write to --storage {folder}: "
    assert (unreachable or "").startswith(
        f'{begin}Could not connect to the endpoint URL: "http://127.0.0.1:1/files/'
    )
    assert (unreachable or "").endswith(
        ". Check the route to S3, HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL_S3"
    )
    assert "certificate verify failed: self-signed certificate" in (untrusted or "")
    assert (untrusted or "").endswith(
        ". Check the endpoint, or name its certificate authority in AWS_CA_BUNDLE"
    )
    assert proxy.requests == []


def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def without_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "none")


def with_a_broken_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "s3.example")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            without_credentials,
            "Unable to locate credentials. Check AWS_PROFILE, and the credentials on this machine "
            "and on the executors",
        ),
        (without_profile, f"The config profile (none) could not be found. {OTHERWISE}"),
        (with_a_broken_endpoint, f"Invalid endpoint: s3.example. {OTHERWISE}"),
    ],
)
def test_a_configuration_that_is_missing_or_wrong_is_one_message(
    folder: Location,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: Callable[[pytest.MonkeyPatch], None],
    cause: str,
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    change(monkeypatch)

    message = folder.plain_text_problem(allowed=False) or folder.problem()

    assert (message or "").endswith(f": {cause}")


def test_two_regions_are_one_problem_of_the_run(
    folder: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert (folder.problem() or "").startswith("AWS_REGION and AWS_DEFAULT_REGION must be the same")
    with pytest.raises(Refused):
        s3.find("files")


# A load


@pytest.fixture(scope="module")
def chosen(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An export of 60 rows in 6 partitions."""
    sixty_rows(sandbox, VIEW)
    exports = {"stored": export("stored", partitions=6)}
    return project(tmp_path_factory.mktemp("project") / "p", exports, VIEW)


def denying(pattern: str) -> Callable[[Request], tuple[int, bytes] | None]:
    def fault(request: Request) -> tuple[int, bytes] | None:
        is_hit = request.method == "PUT" and re.search(pattern, request.path)
        return (403, error("AccessDenied", "Access Denied")) if is_hit else None

    return fault


def test_a_storage_that_fails_during_the_plan_is_reported_and_nothing_stays(
    loader: Run,
    client: Any,
    sandbox: Sandbox,
    chosen: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http_proxy(sandbox.settings.dynamodb_port, fault=denying("/changes/00003")) as proxy:
        proxied(monkeypatch, proxy.port)
        run = loader("plan", *chosen.arguments, "--storage", "s3://files/plan", "--create-table")

    [line] = [line for line in run.err.splitlines() if line.startswith("cannot")]
    assert run.code == 1
    assert re.fullmatch(
        r"cannot plan export stored: cannot write to s3://files/plan/stored/runs/[^/]*/changes/"
        rf"00003-\d+\.arrow: AccessDenied: Access Denied\. {re.escape(POLICY)}\. "
        "Nothing was written: fix the cause, load again",
        line,
    )
    assert "Traceback" not in run.err
    assert (visible(client, Location("s3://files/plan")), incomplete(client)) == ([], [])


def test_a_report_that_cannot_be_saved_is_reported_and_the_next_load_removes_what_is_left(
    loader: Run,
    client: Any,
    sandbox: Sandbox,
    chosen: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http_proxy(sandbox.settings.dynamodb_port, fault=denying(r"report\.json")) as proxy:
        proxied(monkeypatch, proxy.port)
        run = loader("load", *chosen.arguments, "--storage", "s3://files/late", "--create-table")

    [line] = [line for line in run.err.splitlines() if line.startswith("cannot")]
    folder = re.search(r"s3://files/late/stored/runs/[^/ `]*", line)
    assert run.code == 1
    assert folder
    assert line == (
        "cannot save the report of export stored, which wrote 6 of 6 changes: cannot write to "
        f"{folder[0]}/report.json: AccessDenied: Access Denied. {POLICY}. "
        "The run is committed; the next load goes on from there"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", sandbox.env()["AWS_ENDPOINT_URL_S3"])
    left = visible(client, Location(folder[0]))
    again = loader(*("load", *chosen.arguments, "--storage", "s3://files/late", "--keep-runs", "1"))
    files = visible(client, Location("s3://files/late/stored"))
    shown = sorted(
        {re.sub(r"(state|runs)/[^/]+", r"\1/*", file) for file in files if file != "index.html"}
    )

    assert {"changes", "state"} <= {file.partition("/")[0] for file in left}
    assert (again.code, shown) == (
        0,
        [
            *("current.json", "newest_build.json", "runs/*/committed.json", "runs/*/plan.json"),
            *("runs/*/rejects.jsonl", "runs/*/report.html", "runs/*/report.json"),
            "runs/*/state/*",
        ],
    ), again.err
    # The lock is gone, and so is the run before.
    assert not any(folder[0].endswith(file.split("/")[1]) for file in files if "/" in file)


CONFIG = """
[profile loader]
role_arn = arn:aws:iam::000000000000:role/loader
source_profile = base
region = us-east-1
services = sandbox

[services sandbox]
dynamodb =
  endpoint_url = {url}
s3 =
  endpoint_url = {url}
sts =
  endpoint_url = {url}
"""
KEYS = "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = s\n"


def test_a_role_and_endpoints_of_the_aws_profile_are_used_for_both_services_on_driver_and_workers(
    client: Any, sandbox: Sandbox, chosen: Project, tmp_path: Path
) -> None:
    files = {"AWS_CONFIG_FILE": tmp_path / "config", "AWS_SHARED_CREDENTIALS_FILE": tmp_path / "c"}
    (tmp_path / "c").write_text(KEYS)
    working, temporary = tmp_path / "working", tmp_path / "temporary"
    working.mkdir()
    temporary.mkdir()
    own = {name: v for name, v in (os.environ | sandbox.env()).items() if name[:4] != "AWS_"}
    with http_proxy(sandbox.settings.dynamodb_port) as proxy:
        (tmp_path / "config").write_text(CONFIG.format(url=f"http://127.0.0.1:{proxy.port}"))
        arguments = ["load", *chosen.arguments, "--storage", "s3://files/role", "--create-table"]
        before = sorted(chosen.folder.rglob("*"))
        run = subprocess.run(
            [sys.executable, "-m", "loader", *arguments],
            env=own
            | {name: str(file) for name, file in files.items()}
            | {"AWS_PROFILE": "loader", "TMPDIR": str(temporary), "PYTHONPATH": str(REPOSITORY)}
            | mark("role"),
            cwd=working,
            capture_output=True,
            text=True,
            check=False,
        )

    wait_for_end("role")
    assert run.returncode == 0, run.stderr
    signers = {(request.service, request.key_id[:4]) for request in proxy.requests}
    # ASIA is the prefix of temporary keys, AKIA of a user's own ones.
    assert signers == {("sts", "AKIA"), ("dynamodb", "ASIA"), ("s3", "ASIA")}
    assert any("/changes/" in request.path for request in proxy.requests)
    # Nothing local is written but temporary files.
    assert (list(working.iterdir()), sorted(chosen.folder.rglob("*"))) == ([], before)
    assert [file.name for file in temporary.glob("loader-*/*")] == ["spark.log"]


def test_the_last_runs_of_an_export_are_read_from_s3_and_shown_beside_them(
    folder: Location,
) -> None:
    for run in ("2026-01-01", "2026-01-02"):
        files.save(replace(COMPLETE, run=run), folder / "runs" / run)
    (folder / "runs" / "2026-01-03").write("plan.json", b"{}")
    (folder / "runs" / "2026-01-03" / "applied").write("slices.json", b"{}")

    history.save(folder)

    page = Reader(folder.read("index.html").decode())
    assert f"{folder.name}: the last run is complete" in page.text
    assert [link["href"] for link in page.all("a")] == [
        "runs/2026-01-02/report.html",
        "runs/2026-01-01/report.html",
    ]
    assert "2026-01-03 ✗ did not end in the apply: some of its changes may be written" in page.text
    assert folder.size("index.html") == len(folder.read("index.html"))
    lock = lock_of_this_process("a1", "2026-01-03", "loader load", 60.0)
    folder.write(LOCK_FILE, lock.encoded())
    (status,) = statuses(Settings(storage=folder.uri.rpartition("/")[0]), folder.name)
    assert [run.outcome for run in status.runs] == ["running", "complete", "complete"]
    assert status.lock
    assert (status.lock.lock, status.lock.is_held, status.is_good) == (lock, True, True)
