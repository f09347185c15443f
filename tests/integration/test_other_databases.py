"""`--jdbc`: MariaDB, and a database of which the loader knows only standard SQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import Binary
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from loader.items.export import Export, Relation
from loader.warehouse.connection import Connection, source_connection
from loader.warehouse.counts import Counts, count_groups_before
from loader.warehouse.jdbc_query import open_session
from loader.warehouse.jdbc_source import JdbcSource
from tests.support import mariadb
from tests.support.aws_server import Call, aws_server
from tests.support.projects import Project, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]

SQL_OF_MARIADB = (
    "create database shop character set utf8mb4",
    "create table shop.odd (id varchar(20) character set utf8mb4 collate utf8mb4_general_ci, "
    'part int, `select` tinyint, `Größe m²` smallint unsigned, `a"b` mediumint unsigned, '
    "`c``d` tinyint(1), `e]?` bigint unsigned, `g.h` int(10) zerofill, "
    "`i\\'` bigint, price decimal(10, 2), `loader:0` decimal(65, 30), "
    "`{0}` decimal(12, 4) unsigned, "
    "f float, g double, one_bit bit(1), bits bit(64), y year, day date, at datetime(6), "
    "second datetime, utc timestamp(3) null, took time(2), fixed char(5), note text, "
    "latin varchar(20) character set latin1, doc json, size enum('s', 'large'), "
    "tags set('a', 'b'), code binary(3), body blob, u uuid, ip inet6)",
    "insert into shop.odd values ('a', 0, -128, 65535, 16777215, 2, 18446744073709551615, 5, "
    "-9223372036854775808, 10.50, -12345678901234567890123456789012345.5, 0.0001, "
    "16777217.1, 0.1, b'1', b'1000000000000000000000000000000000000000000000000000000000000001', "
    "2026, '0001-01-01', '9999-12-31 23:59:59.999999', '1582-10-10 00:00:00', "
    "'2026-03-29 01:30:00.5', '-838:59:59.00', 'ab   ', 'tschüß 🛒 \\\\ \" \\'', 'naïve', "
    "'{\"a\": [1, 2]}', 's', 'a', x'00ff00', x'', "
    "'123e4567-e89b-12d3-a456-426655440000', '2001:db8::1')",
    # The collation treats them as equal, DynamoDB does not.
    "insert into shop.odd (id, part, f) values ('A', 1, 1e-30), ('a ', 2, 3.4e37)",
)
ODD = {
    "id": "a",
    "select": Decimal(-128),
    "Größe m²": Decimal(65535),
    'a"b': Decimal(16777215),
    "c`d": Decimal(2),
    "e]?": Decimal(18446744073709551615),
    "g.h": Decimal(5),
    "i\\'": Decimal(-9223372036854775808),
    "price": Decimal("10.5"),
    "loader:0": Decimal("-12345678901234567890123456789012345.5"),
    "{0}": Decimal("0.0001"),
    "f": Decimal(16777218),
    "g": Decimal("0.1"),
    "one_bit": Decimal(1),
    "bits": Decimal(2**63 + 1),
    "y": Decimal(2026),
    "day": "0001-01-01",
    "at": "9999-12-31T23:59:59.999999",
    "second": "1582-10-10T00:00:00",
    "utc": "2026-03-29T01:30:00.500000Z",
    "took": "-838:59:59.00",
    "fixed": "ab",
    "note": "tschüß 🛒 \\ \" '",
    "latin": "naïve",
    "doc": '{"a": [1, 2]}',
    "size": "s",
    "tags": "a",
    "code": Binary(b"\x00\xff\x00"),
    "body": Binary(b""),
    "u": "123e4567-e89b-12d3-a456-426655440000",
    "ip": "2001:db8::1",
}


def run_sql(spark: SparkSession, connection: Connection, *statements: str) -> None:
    session = open_session(spark, connection)
    try:
        for text in statements:
            session.createStatement().execute(text)
    finally:
        session.close()


@pytest.fixture(scope="module")
def server(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JdbcSource]:
    """A MariaDB server with a table of odd values, whose time zone is not UTC."""
    if not mariadb.SERVER:
        pytest.skip(mariadb.MISSING)
    with mariadb.running_mariadb(tmp_path_factory.mktemp("mariadb")) as port:
        driver = mariadb.DRIVER
        url = f"jdbc:mariadb://127.0.0.1:{port}/"
        source = JdbcSource(url, driver.name, driver.package, "DB_USER", "DB_PW")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DB_USER", mariadb.USER)
            environment.setenv("DB_PW", mariadb.PASSWORD)
            connection = source_connection(source)
            run_sql(spark, connection, *SQL_OF_MARIADB, "set global time_zone = '+05:30'")
            yield source


def jdbc_file(folder: Path, source: JdbcSource, **changes: Any) -> list[str]:
    """The option of a file for the database."""
    fields = {name: value for name, value in vars(source).items() if value} | changes
    (folder / "jdbc.json").write_text(json.dumps(fields))
    return ["--jdbc", str(folder / "jdbc.json")]


def settings(table: str, key: str, *attributes: str) -> dict[str, Any]:
    return {
        "table": table,
        "key": key,
        "partition_column": "part",
        "partitions": 3,
        "attributes": list(attributes),
    }


def odd_project(folder: Path, table: str, *attributes: str) -> Project:
    return project(folder, {table: settings(table, "id", *attributes)}, "shop.odd")


def test_a_secret_of_mariadb_that_was_rotated_is_read_again(
    spark: SparkSession, server: JdbcSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = iter(["of yesterday", mariadb.PASSWORD])

    def answer(_: Call) -> tuple[int, str]:
        secret = {"username": mariadb.USER, "password": next(passwords)}
        return 200, json.dumps({"SecretString": json.dumps(secret)})

    with aws_server(answer) as aws:
        for name, value in {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": aws.url,
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        run_sql(spark, source_connection(server, "shop/loader"), "select 1")

    assert [call.parameters for call in aws.calls] == [{"SecretId": "shop/loader"}] * 2


def test_the_values_of_mariadb_are_published_exactly(
    server: JdbcSource, loader: Run, items: Run, tmp_path: Path
) -> None:
    """The load reads without the mode ANSI_QUOTES, the comparison with it."""
    made = odd_project(tmp_path, "odd", *(name for name in ODD if name != "id"))
    command = ["load", *made.arguments, *made.storage, *jdbc_file(tmp_path, server, quote="`")]

    outcome = loader(*command, "--create-table")

    assert (outcome.code, outcome.err) == (0, outcome.err)
    [item] = [item for item in items("odd") if item["id"] == "a"]
    assert item == ODD
    others = {item["id"]: item["f"] for item in items("odd") if item["id"] != "a"}
    assert others == {"A": Decimal("1e-30"), "a ": Decimal("3.4e37")}
    verified = loader(
        *("verify", "odd", *made.arguments, *made.storage, *jdbc_file(tmp_path, server))
    )
    assert (verified.code, verified.err) == (0, verified.err)
    assert "all rows are read every time: rows have hashes in Redshift and PostgreSQL only" in (
        outcome.out
    )


def test_the_next_load_from_mariadb_writes_only_what_changed(
    server: JdbcSource, spark: SparkSession, loader: Run, items: Run, tmp_path: Path
) -> None:
    """It reads with a URL for which Spark has a dialect, of which it takes all but the quotes."""
    made = odd_project(tmp_path, "next", "price")
    command = ["load", *made.arguments, *made.storage, *jdbc_file(tmp_path, server), "--json"]
    assert loader(*command, "--create-table").code == 0

    run_sql(spark, source_connection(server), "update shop.odd set price = 11 where part = 0")
    url = server.url.replace("mariadb", "mysql") + "?permitMysqlScheme"
    jdbc_file(tmp_path, server, url=url, quote='"')
    report = json.loads(loader(*command).out)
    run_sql(spark, source_connection(server), "update shop.odd set price = 10.5 where part = 0")

    assert (report["complete"], report["changed"], report["unchanged"]) == (True, 1, 2)
    assert {item["id"]: item.get("price") for item in items("next")} == {
        "a": Decimal(11),
        "A": None,
        "a ": None,
    }


def test_a_zero_or_invalid_date_of_mariadb_rejects_its_item(
    server: JdbcSource, spark: SparkSession, loader: Run, items: Run, tmp_path: Path
) -> None:
    run_sql(
        spark,
        source_connection(server),
        "create table shop.dates (id int, d date, t datetime)",
        "insert into shop.dates values (1, '2024-02-29', '2024-02-29 00:00:00'), "
        "(2, '0000-00-00', null), (3, '2024-00-10', null), (4, null, '0000-00-00')",
        "set sql_mode = 'ALLOW_INVALID_DATES'",
        "insert into shop.dates values (5, '2023-02-29', null), (6, null, '2024-04-31 01:02:03')",
        "create view shop.zero as select *, mod(crc32(id), 3) as part from shop.dates",
    )
    made = project(tmp_path, {"zero": settings("zero", "id", "d", "t")}, "shop.zero")
    command = ["load", *made.arguments, *made.storage, *jdbc_file(tmp_path, server), "--json"]

    outcome = loader(*command, "--create-table")

    assert items("zero") == [{"id": Decimal(1), "d": "2024-02-29", "t": "2024-02-29T00:00:00"}]
    assert sorted(reject["reason"] for reject in json.loads(outcome.out)["rejects"]) == [
        "column d must be in the years 0001 to 9999, got the invalid date 0000-00-00",
        "column d must be in the years 0001 to 9999, got the invalid date 2023-02-29",
        "column d must be in the years 0001 to 9999, got the invalid date 2024-00-10",
        "column t must be in the years 0001 to 9999, got the invalid date 0000-00-00 00:00:00",
        "column t must be in the years 0001 to 9999, got the invalid date 2024-04-31 01:02:03",
    ]
    assert outcome.code == 1


def test_a_type_of_mariadb_without_exact_text_is_refused(
    server: JdbcSource, spark: SparkSession, loader: Run, tmp_path: Path
) -> None:
    run_sql(spark, source_connection(server), "create table shop.place (id int, part int, p point)")
    made = project(tmp_path, {"place": settings("place", "id", "p")}, "shop.place")

    outcome = loader(
        "plan", *made.arguments, *made.storage, *jdbc_file(tmp_path, server), "--create-table"
    )

    assert outcome.code == 2
    assert outcome.err.splitlines()[1:] == [
        "  1  column p of shop.place must be of a type that the loader can read, got POINT: cast "
        "it in the model, for example `ST_AsText(p)`"
    ]


@pytest.mark.parametrize(
    ("changes", "relation", "message"),
    [
        ({}, "shop.missing", "view shop.missing must exist in"),
        (
            {"user_env": "AWS_DEFAULT_REGION"},
            "shop.odd",
            "Check user us-east-1 and its password in DB_PW, and that the user may log in",
        ),
        (
            {"quote": "[]"},
            "shop.odd",
            "its query fails in the warehouse; or set quote in the --jdbc file to the quotes",
        ),
        (
            {"properties": {"initSql": "set time_zone = '+09:00'"}},
            "shop.odd",
            "/ must be +00:00, got +09:00: remove what sets it from url and properties of the",
        ),
        (
            {"driver": "org.postgresql.Driver"},
            "shop.odd",
            "must be a JDBC driver that accepts the URL of mariadb://127.0.0.1:",
        ),
        (
            {"driver": "java.lang.String"},
            "shop.odd",
            "got another class: correct driver or url in the --jdbc file",
        ),
        (
            {"driver": "org.mariadb.jdbc.Drivre"},
            "shop.odd",
            "give --spark-conf spark.jars=<file>, or correct driver in the --jdbc file",
        ),
        (
            {"url": "jdbc:mariadb://127.0.0.1:1/"},
            "shop.odd",
            "Check host and port of the --jdbc file, the network, and that the warehouse runs",
        ),
    ],
)
def test_why_mariadb_cannot_be_read_is_printed(
    changes: dict[str, Any],
    relation: str,
    message: str,
    server: JdbcSource,
    loader: Run,
    tmp_path: Path,
) -> None:
    made = project(tmp_path, {"gone": settings("gone", "id", "price")}, relation)

    outcome = loader(
        "plan", *made.arguments, *made.storage, *jdbc_file(tmp_path, server, **changes)
    )

    assert outcome.code == 2
    assert message in outcome.err


def test_a_row_that_arrives_after_the_count_has_begun_is_not_counted(
    server: JdbcSource, spark: SparkSession
) -> None:
    """The count waits for a lock of ours, and reads what was committed before."""
    connection = source_connection(server)
    run_sql(
        spark,
        connection,
        "create table shop.rows_of_count (id int, part int)",
        "insert into shop.rows_of_count values (1, 0), (2, 1)",
        "create view shop.waiting as "
        "select * from shop.rows_of_count where get_lock('gate', 60) = 1",
    )
    export = Export(
        name="waiting",
        model="waiting",
        relation=Relation("", "shop", "waiting"),
        table="waiting",
        key=("id",),
        partition_column="part",
        partitions=2,
    )
    session = open_session(spark, connection)
    session.createStatement().executeQuery("select get_lock('gate', 60)")

    counting = count_groups_before(spark, connection, export, {"id": T.LongType()}, "run")
    session.createStatement().execute("insert into shop.rows_of_count values (3, 1)")
    session.close()

    assert counting.result() == Counts(rows=2, keys=2)


@pytest.fixture(scope="module")
def derby(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> JdbcSource:
    """Derby, which Spark brings, in the JVM of the session: it has standard SQL and no md5()."""
    source = JdbcSource(
        f"jdbc:derby:{tmp_path_factory.mktemp('derby')}/shop;create=true",
        "org.apache.derby.iapi.jdbc.AutoloadedDriver",
        "org.apache.derby:derby:10.16.1.1",
    )
    run_sql(
        spark,
        source_connection(source),
        'create table "odd" ("id" varchar(20), "part" int, "n" smallint, "i8" bigint, '
        '"price" decimal(31, 5), "g" double, "f" real, "yes" boolean, "body" blob, "note" clob, '
        '"day" date)',
        """insert into "odd" values ('a', 0, -32768, -9223372036854775808, 12345678901234567890.5,
        0.1, 16777216, true, cast(x'00ff' as blob), 'naïve', '2026-02-03')""",
        """insert into "odd" ("id", "part") values ('A', 1), ('b', 2)""",
    )
    return source


def test_a_database_with_standard_sql_is_published_exactly_from_a_bundle(
    derby: JdbcSource, loader: Run, items: Run, tmp_path: Path
) -> None:
    names = ("n", "i8", "price", "g", "f", "yes", "body", "note")
    made = project(tmp_path, {"derby": settings("derby", "id", *names)}, "APP.odd")
    bundle = str(tmp_path / "bundle.json")
    bundled = loader("bundle", *made.arguments, *jdbc_file(tmp_path, derby), "-o", bundle)
    assert (bundled.code, bundled.err) == (0, "")

    outcome = loader("load", "--bundle", bundle, *made.storage, "--create-table")

    assert (outcome.code, outcome.err) == (0, outcome.err)
    assert sorted(items("derby"), key=lambda item: item["id"]) == [
        {"id": "A"},
        {
            "id": "a",
            "n": Decimal(-32768),
            "i8": Decimal(-9223372036854775808),
            "price": Decimal("12345678901234567890.5"),
            "g": Decimal("0.1"),
            "f": Decimal(16777216),
            "yes": True,
            "body": Binary(b"\x00\xff"),
            "note": "naïve",
        },
        {"id": "b"},
    ]


def test_a_date_of_a_database_with_standard_sql_is_refused_with_the_cast_that_helps(
    derby: JdbcSource, loader: Run, tmp_path: Path
) -> None:
    made = project(tmp_path, {"day": settings("day", "id", "day")}, "APP.odd")

    outcome = loader(
        "plan", *made.arguments, *made.storage, *jdbc_file(tmp_path, derby), "--create-table"
    )

    assert outcome.code == 2
    assert "cast(day as varchar(100))" in outcome.err
