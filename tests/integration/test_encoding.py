"""Spark's values become the DynamoDB JSON that boto3 would write, byte for byte in size.

These tests need a Spark session, which they start themselves, and no sandbox.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark import SparkContext
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from loader.items import encoding
from loader.items.attribute_types import FLOATS, INTEGERS, attribute_type
from loader.items.canonical import canonical_text
from loader.items.collected_attribute import CollectedAttribute
from loader.items.column_mapping import collected_attributes, key_types, text_columns
from loader.items.encoded_rows import encode_rows
from loader.items.export import Collect, Export, Order
from loader.items.item_size import value_bytes
from loader.items.row_problems import value_problem
from loader.items.schema_problems import schema_problems
from loader.items.text_types import DATES
from loader.items.value_sizes import size
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult, Reject
from loader.plan.result import partition_results
from loader.plan.task import OUTCOME, PlanTask
from loader.spark.session import start
from loader.storage.changeset import CHANGES, PUT, Extent, read_extent
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from tests.support.dynamodb_json import boto3_form
from tests.support.exports import SHORT
from tests.support.spark_schemas import as_read, struct_of

pytestmark = pytest.mark.integration

read = TypeDeserializer().deserialize
write = TypeSerializer().serialize

# A Spark job costs more than its rows, so there are few examples of many values each; the first has
# only the simplest values. They are compared whole, so that a failure shows the value without a
# search for a smaller example.
bulk = settings(
    max_examples=2,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session without drivers, or the active one.

    Spark's JVM reads packages and environment only when it starts, so it is stopped too.
    """
    given_session = SparkSession.getActiveSession()
    log = tmp_path_factory.mktemp("spark") / "spark.log"
    session = start("encoding", [], 2, log, {"spark.ui.enabled": "false"})
    yield session
    if given_session is None:
        gateway = SparkContext._gateway
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None


# --- the expected encoding, by hand -----------------------------------------------------------


def iso(moment: datetime) -> str:
    """ISO 8601 without trailing zeros in the fraction of a second."""
    text = moment.replace(tzinfo=None).isoformat()
    return text.rstrip("0") if "." in text else text


def python(dtype: T.DataType, value: Any) -> Any:
    """The value as a caller of boto3 would pass it."""
    if value is None:
        return None
    if isinstance(dtype, T.ArrayType):
        return [python(dtype.elementType, element) for element in value]
    if isinstance(dtype, T.MapType):
        return {name: python(dtype.valueType, inner) for name, inner in value.items()}
    if isinstance(dtype, T.StructType):
        return {f.name: python(f.dataType, value[f.name]) for f in dtype.fields}
    if isinstance(dtype, FLOATS):
        return Decimal(repr(value + 0.0))
    if isinstance(dtype, T.TimestampType):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(dtype, T.TimestampNTZType):
        return iso(value)
    if isinstance(dtype, T.DateType):
        return value.isoformat()
    if isinstance(dtype, T.BinaryType):
        return Binary(bytes(value))
    return Decimal(value) if isinstance(dtype, INTEGERS) else value


def comparable(dtype: T.DataType, wire: Any) -> Any:
    """Types are kept (1 is not true); numbers are compared as numbers, floats as floats.

    Java and Python print the same float with different digits.
    """
    if wire == {"NULL": True}:
        return wire
    ((type_, value),) = wire.items()
    if isinstance(dtype, T.ArrayType):
        return {type_: [comparable(dtype.elementType, element) for element in value]}
    if isinstance(dtype, T.MapType):
        return {type_: {n: comparable(dtype.valueType, inner) for n, inner in value.items()}}
    if isinstance(dtype, T.StructType):
        return {type_: {n: comparable(dtype[n].dataType, inner) for n, inner in value.items()}}
    if isinstance(dtype, T.FloatType):
        return {type_: repr(struct.unpack("f", struct.pack("f", float(value)))[0])}
    if isinstance(dtype, T.DoubleType):
        return {type_: repr(float(value))}
    return {type_: Decimal(value)} if type_ == "N" else wire


def number_bytes(text: str) -> int:
    """Bytes of Oracle's NUMBER, which has the range, the digits and the sizes of DynamoDB's.

    An exponent byte, a byte per digit of base 100, and one more after a negative number.
    """
    number = Decimal(text)
    if not number:
        return 1
    _, digits, exponent = number.as_tuple()
    integer = int("".join(map(str, digits)))
    if exponent % 2:
        integer, exponent = integer * 10, exponent - 1
    while integer % 100 == 0:
        integer //= 100
    pairs = 0
    while integer:
        integer, pairs = integer // 100, pairs + 1
    return 1 + pairs + (number < 0)


def weight(wire: Any) -> int:
    """Bytes of a value by the rules of CapacityUnitCalculations."""
    ((type_, value),) = wire.items()
    if type_ == "S":
        return len(value.encode())
    if type_ == "N":
        return number_bytes(value)
    if type_ == "B":
        return len(bytes(value))
    if type_ == "L":
        return 3 + sum(1 + weight(element) for element in value)
    if type_ == "M":
        return 3 + sum(1 + len(name.encode()) + weight(inner) for name, inner in value.items())
    if type_ in ("SS", "NS", "BS"):
        return sum(weight({type_[0]: element}) for element in value)
    return 1


def has_floats(dtype: T.DataType) -> bool:
    return "float" in dtype.simpleString() or "double" in dtype.simpleString()


# --- Spark's side -----------------------------------------------------------------------------


Encoder = Callable[[Column, T.DataType], Column]


def evaluated(
    spark: SparkSession, dtype: T.DataType, values: Sequence[Any], *encoders: Encoder
) -> list[tuple[Any, ...]]:
    """The results of the encoders for each of `values`, the column v, in their order."""
    schema = T.StructType([T.StructField("n", T.IntegerType()), T.StructField("v", dtype)])
    frame = as_read(spark.createDataFrame(list(enumerate(values)), schema))
    results = frame.select("n", *(encode(F.col("v"), dtype) for encode in encoders)).collect()
    return [tuple(row)[1:] for row in sorted(results, key=lambda row: row.n)]


def check(spark: SparkSession, dtype: T.DataType, values: Sequence[Any]) -> None:
    """Check fragment and size of every value, and of null, against boto3 and the rules.

    The text of a value that DynamoDB returns is the fragment.
    """
    values = [*values, None]
    results = evaluated(spark, dtype, values, encoding.fragment, size)
    assert results[-1] == (None, 1)
    wires = [boto3_form(json.loads(fragment)) for fragment, _ in results[:-1]]
    wanted = [python(dtype, value) for value in values[:-1]]
    written = [write(value) for value in wanted]
    assert [comparable(dtype, wire) for wire in wires] == [comparable(dtype, w) for w in written]
    texts = [f'"v":{fragment}' for fragment, _ in results[:-1]]
    assert texts == [canonical_text({"v": wire}, ["v"]) for wire in wires]
    floats = has_floats(dtype)
    if not floats:
        assert [read(wire) for wire in wires] == wanted == [read(wire) for wire in written]
    sizes = [(wire, size, weight(wire)) for (_, size), wire in zip(results, wires, strict=False)]
    assert [s for s in sizes if s[1] != s[2]] == []
    read_back = [(f, size, value_bytes(json.loads(f))) for f, size in results[:-1]]
    assert [s for s in read_back if s[1] != s[2]] == []


# --- the types, and values of each ------------------------------------------------------------

FLOAT, DOUBLE, STRING, BINARY = T.FloatType(), T.DoubleType(), T.StringType(), T.BinaryType()
# Lone surrogates (category Cs) are no Unicode text; Redshift's UTF-8 cannot hold them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
UTC = timezone.utc
FAR = timedelta(days=3_652_058)


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def decimals(precision: int, scale: int) -> tuple[T.DataType, st.SearchStrategy[Decimal], list]:
    limit = 10**precision - 1
    units = st.integers(-limit, limit) | st.integers(0, precision).map(lambda n: min(10**n, limit))
    edges = [0, 1, -1, 10, 12, 100, 101, 1010, 12340, limit, -limit]
    return (
        T.DecimalType(precision, scale),
        units.map(lambda n: Decimal(f"{n}E-{scale}")),
        [Decimal(f"{n}E-{scale}") for n in edges if abs(n) <= limit],
    )


def in_range(value: float) -> bool:
    magnitude = abs(Decimal(repr(value)))
    return not magnitude or Decimal("1E-130") <= magnitude < Decimal("1E126")


SCALARS: dict[str, tuple[T.DataType, st.SearchStrategy[Any], list[Any]]] = {
    "string": (
        STRING,
        TEXTS,
        [
            "",
            "\x00\x01\x1f\x7f\x85",
            "\b\t\n\f\r",
            "\"'\\`/",
            "\u2028\u2029\ufeff\uffff",
            "😀𝄞\U0010ffff",
            "][",
            "[]\n[",
            "$1 \\1 ${a}",
            "é" * 40_000,
        ],
    ),
    "tinyint": (T.ByteType(), integers(8), [0, 1, -1, 10, 100, -128, 127]),
    "smallint": (T.ShortType(), integers(16), [0, 1010, -(2**15), 2**15 - 1]),
    "int": (T.IntegerType(), integers(32), [0, 12340, -(2**31), 2**31 - 1]),
    "bigint": (T.LongType(), integers(64), [0, 10**18, -(10**18), -(2**63), 2**63 - 1]),
    "decimal(38,0)": decimals(38, 0),
    "decimal(38,18)": decimals(38, 18),
    "decimal(38,37)": decimals(38, 37),
    "decimal(38,38)": decimals(38, 38),
    "decimal(10,2)": decimals(10, 2),
    "decimal(5,3)": decimals(5, 3),
    "decimal(1,0)": decimals(1, 0),
    "float": (
        FLOAT,
        st.floats(width=32, allow_nan=False, allow_infinity=False),
        [0.0, -0.0, 0.5, 100.0, 2.0**-149, 2.0**127, 16777216.0],
    ),
    "double": (
        DOUBLE,
        st.floats(allow_nan=False, allow_infinity=False).filter(in_range),
        [0.0, -0.0, 0.1, 1e-3, 1e7, 1e-130, math.nextafter(1e126, 0), -1e125, 1.5, 123.0],
    ),
    "boolean": (T.BooleanType(), st.booleans(), [True, False]),
    "binary": (BINARY, st.binary(max_size=200), [b"", *(bytes([255] * n) for n in range(201))]),
    "date": (T.DateType(), st.dates(), [date.min, date(1582, 10, 10), date.max]),
    "timestamp": (
        T.TimestampType(),
        st.datetimes(timezones=st.just(UTC)),
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(1883, 11, 18, 12, 3, 58, tzinfo=UTC),
            datetime(2024, 2, 29, 4, 5, 6, 120_000, tzinfo=UTC),
            datetime(2024, 2, 29, 4, 5, 10, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ],
    ),
    "timestamp_ntz": (
        T.TimestampNTZType(),
        st.datetimes(),
        [datetime(1, 1, 1), datetime(2024, 2, 29, 4, 5, 6, 1), datetime.max],
    ),
}
SETS = [name for name in SCALARS if name != "boolean"]


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=60, max_size=200)


def short(name: str) -> st.SearchStrategy[Any]:
    """A value of the type, or null; long texts are left out."""
    _, values, edges = SCALARS[name]
    return st.none() | values | st.sampled_from([e for e in edges if e != "é" * 40_000])


class TestAScalar:
    @pytest.mark.parametrize("name", SCALARS)
    @bulk
    @given(data=st.data())
    def test_is_what_boto3_writes(self, spark: SparkSession, name: str, data: Any) -> None:
        dtype, values, edges = SCALARS[name]
        check(spark, dtype, [*edges, *data.draw(some(values))])

    @pytest.mark.parametrize("name", SETS)
    @bulk
    @given(data=st.data())
    def test_is_a_json_string_in_a_set(self, spark: SparkSession, name: str, data: Any) -> None:
        dtype, values, edges = SCALARS[name]
        column = [*edges, *data.draw(some(values)), None]
        results = evaluated(spark, dtype, column, encoding.scalar, encoding.fragment)
        type_ = attribute_type(dtype)
        assert results[-1] == (None, None)
        assert [f for _, f in results[:-1]] == [f'{{"{type_}":{s}}}' for s, _ in results[:-1]]
        assert all(isinstance(json.loads(s), str) for s, _ in results[:-1])

    def test_in_a_set_has_exactly_this_text(self, spark: SparkSession) -> None:
        cases: list[tuple[str, T.DataType, Any]] = [
            ('"a\\"\\n\u2028"', STRING, 'a"\n\u2028'),
            ('"-128"', T.ByteType(), -128),
            ('"1.5"', T.DecimalType(5, 2), Decimal("1.50")),
            ('"100"', T.DecimalType(5, 2), Decimal("100.00")),
            ('"0"', T.DecimalType(5, 2), Decimal("0.00")),
            ('"-0.0000000012"', T.DecimalType(38, 18), Decimal("-0.00000000120")),
            ('"0"', DOUBLE, -0.0),
            ('"1"', DOUBLE, 1.0),
            ('"10000000000"', DOUBLE, 1e10),
            ('"12345678.5"', DOUBLE, 12345678.5),
            ('"9007199254740993000"', DOUBLE, 9007199254740993024.0),
            ('"0.00000015"', DOUBLE, 1.5e-7),
            (f'"1{"0" * 100}"', DOUBLE, 1e100),
            ('"0.1"', FLOAT, 0.1),
            ('"16777216"', FLOAT, 16777216.0),
            ('"/+8="', BINARY, b"\xff\xef"),
            ('"2024-02-29"', T.DateType(), date(2024, 2, 29)),
            (
                '"2024-02-29T01:02:03.500000Z"',
                T.TimestampType(),
                datetime(2024, 2, 29, 1, 2, 3, 500_000, tzinfo=UTC),
            ),
            ('"2024-02-29T01:02:03"', T.TimestampNTZType(), datetime(2024, 2, 29, 1, 2, 3)),
        ]
        columns = [
            evaluated(spark, dtype, [value], encoding.scalar)[0][0] for _, dtype, value in cases
        ]
        assert columns == [text for text, _, _ in cases]

    @pytest.mark.parametrize("dtype", [T.BooleanType(), T.ArrayType(STRING), T.StructType()])
    def test_of_another_type_is_refused_in_a_set(
        self, spark: SparkSession, dtype: T.DataType
    ) -> None:
        with pytest.raises(TypeError) as error:
            encoding.scalar(F.col("v"), dtype)
        assert str(error.value) == f"a set of DynamoDB cannot hold {dtype.simpleString()}"


# What DynamoDB counts, measured on AWS with items at the limit and one byte over it:
# https://github.com/paritysuite/dynamodb-conformance (tests/tier3/limits/numberByteSize.test.ts).
MEASURED = {
    "0": 1,
    "1": 2,
    "12": 2,
    "123": 3,
    "1234": 3,
    "12345678901234567890123456789012345678": 20,
    "100": 2,
    "1010": 3,
    "0.0000001": 2,
    "1.5": 3,
    "15": 2,
    "1.2": 3,
    "1.200": 3,
    "1.234": 4,
    "3.14159": 5,
    "123456": 4,
    "100.5": 4,
    "0.15": 2,
    "-42": 3,
}


class TestTheSizeOfANumber:
    @pytest.mark.parametrize("text", MEASURED)
    def test_is_what_aws_counts(self, spark: SparkSession, text: str) -> None:
        number = Decimal(text)
        whole, _, fraction = text.lstrip("-").partition(".")
        dtype = T.DecimalType(len(whole) + len(fraction), len(fraction))
        assert number_bytes(text) == MEASURED[text]
        assert evaluated(spark, dtype, [number], size) == [(MEASURED[text],)]


STRUCT = T.StructType(
    [
        T.StructField("plain", T.IntegerType()),
        T.StructField("a.b`c\"d'e\\", STRING),
        T.StructField("é 😀", T.DecimalType(10, 2)),
        T.StructField("flag", T.BooleanType()),
    ]
)


def structs() -> st.SearchStrategy[Any]:
    cents = decimals(10, 2)[1]
    columns = {
        "plain": integers(32),
        "a.b`c\"d'e\\": TEXTS,
        "é 😀": cents,
        "flag": st.booleans(),
    }
    return st.none() | st.fixed_dictionaries({n: st.none() | v for n, v in columns.items()})


# Three deep, with every kind inside every other.
NESTED = T.StructType(
    [
        T.StructField("list", T.ArrayType(T.MapType(STRING, STRUCT))),
        T.StructField("map", T.MapType(STRING, T.ArrayType(T.ArrayType(BINARY)))),
        T.StructField(
            "struct", T.StructType([T.StructField("inner", T.ArrayType(T.TimestampType()))])
        ),
    ]
)


def nested() -> st.SearchStrategy[Any]:
    def few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.none() | st.lists(values, max_size=3)

    def named(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.none() | st.dictionaries(TEXTS, values, max_size=3)

    return st.fixed_dictionaries(
        {
            "list": few(named(structs())),
            "map": named(few(few(st.none() | st.binary(max_size=80)))),
            "struct": st.none() | st.fixed_dictionaries({"inner": few(short("timestamp"))}),
        }
    )


class TestAContainer:
    @pytest.mark.parametrize("name", SCALARS)
    @bulk
    @given(data=st.data())
    def test_of_scalars_and_nulls_is_what_boto3_writes(
        self, spark: SparkSession, name: str, data: Any
    ) -> None:
        dtype = SCALARS[name][0]
        lists = data.draw(st.lists(st.lists(short(name), max_size=5), min_size=5, max_size=20))
        check(spark, T.ArrayType(dtype), [[], [None], *lists])
        texts = st.dictionaries(TEXTS, short(name), max_size=4)
        maps = data.draw(st.lists(texts, min_size=5, max_size=20))
        check(spark, T.MapType(STRING, dtype), [{}, {"": None, 'k"\n': None}, *maps])

    @bulk
    @given(values=st.lists(structs(), min_size=5, max_size=30))
    def test_with_named_fields_is_what_boto3_writes(
        self, spark: SparkSession, values: list[Any]
    ) -> None:
        check(spark, STRUCT, [value for value in values if value is not None])
        check(spark, T.ArrayType(STRUCT), [values, [None]])

    @bulk
    @given(values=st.lists(nested(), min_size=5, max_size=20))
    def test_three_deep_is_what_boto3_writes(self, spark: SparkSession, values: list[Any]) -> None:
        check(spark, NESTED, values)

    def test_without_fields_is_an_empty_map(self, spark: SparkSession) -> None:
        check(spark, T.StructType(), [{}])


INTERVAL = T.DayTimeIntervalType()


class TestATypeThatDynamoDBLacks:
    @pytest.mark.parametrize(
        "dtype",
        [
            INTERVAL,
            T.ArrayType(INTERVAL),
            T.MapType(STRING, INTERVAL),
            T.MapType(T.IntegerType(), STRING),
            T.StructType([T.StructField("i", INTERVAL)]),
        ],
        ids=lambda dtype: dtype.simpleString(),
    )
    def test_is_refused_at_any_depth(self, spark: SparkSession, dtype: T.DataType) -> None:
        assert attribute_type(dtype) is None
        with pytest.raises(TypeError) as error:
            encoding.fragment(F.col("v"), dtype)
        assert str(error.value) == f"DynamoDB has no type for {dtype.simpleString()}"


def problems(spark: SparkSession, dtype: T.DataType, values: Sequence[Any]) -> list[str | None]:
    def problem(value: Column, dtype: T.DataType) -> Column:
        cause = value_problem(value, dtype, "column v")
        assert cause is not None
        return cause

    return [results for (results,) in evaluated(spark, dtype, values, problem)]


def refusal(text: str, name: str = "column v") -> str:
    return f"{name} must be a number DynamoDB can hold, got {text}"


NAN, INF = math.nan, math.inf


class TestAFloatOutOfRange:
    def test_is_a_problem_that_names_it(self, spark: SparkSession) -> None:
        cases = {
            NAN: "NaN",
            INF: "Infinity",
            -INF: "-Infinity",
            1e126: "1.0E126",
            -1e126: "-1.0E126",
            1.5e308: "1.5E308",
            9.9e-131: "9.9E-131",
            -9.9e-131: "-9.9E-131",
        }
        assert problems(spark, DOUBLE, list(cases)) == [refusal(text) for text in cases.values()]
        singles = [NAN, INF, -INF, 1.5, None]
        texts = ["NaN", "Infinity", "-Infinity"]
        assert problems(spark, FLOAT, singles) == [*map(refusal, texts), None, None]

    @bulk
    @given(values=some(st.floats()))
    def test_is_the_only_problem_of_floats(self, spark: SparkSession, values: list[float]) -> None:
        values = [*values, 1e-130, math.nextafter(1e-130, 0), 1e126, math.nextafter(1e126, 0)]
        good = [math.isfinite(value) and in_range(value) for value in values]
        assert [cause is None for cause in problems(spark, DOUBLE, values)] == good

    def test_is_found_inside_lists_maps_and_structs(self, spark: SparkSession) -> None:
        assert problems(spark, T.ArrayType(DOUBLE), [[1.0, NAN, INF], [None, 1.0], [], None]) == [
            refusal("NaN"),
            None,
            None,
            None,
        ]
        assert problems(
            spark, T.MapType(STRING, FLOAT), [{"a": 1.0, "b": -INF}, {"a": None}, {}, None]
        ) == [refusal("-Infinity"), None, None, None]
        pair = T.StructType([T.StructField("x.y", DOUBLE), T.StructField("z", T.ArrayType(FLOAT))])
        assert problems(spark, pair, [(NAN, [INF]), (1.0, [None, INF]), (None, None), None]) == [
            refusal("NaN", "column v.x.y"),
            refusal("Infinity", "column v.z"),
            None,
            None,
        ]
        assert problems(
            spark, T.ArrayType(pair), [[None, (1.0, [1.0]), (NAN, None)], [None], [], None]
        ) == [refusal("NaN", "column v.x.y"), None, None, None]

    @pytest.mark.parametrize(
        "dtype",
        [d for d, _, _ in SCALARS.values() if not isinstance(d, (*FLOATS, *DATES))]
        + [T.ArrayType(T.LongType()), T.MapType(STRING, BINARY), STRUCT, T.StructType()],
        ids=lambda dtype: dtype.simpleString()[:40],
    )
    def test_cannot_be_in_other_types(self, spark: SparkSession, dtype: T.DataType) -> None:
        assert value_problem(F.col("v"), dtype, "column v") is None


# --- encoded_rows.py ----------------------------------------------------------------------------

EXPORT = replace(
    SHORT, partitions=100, collect=(Collect("items", "item"),), order_by=(Order("at"),)
)


@pytest.mark.usefixtures("spark")
class TestTheSchema:
    def test_has_no_problem_where_all_types_fit(self) -> None:
        export = replace(
            EXPORT,
            key=("user", "day"),
            collect=(Collect("items", "item"), Collect("tags", "tag", "set")),
            attributes=("note", "score"),
        )
        schema = struct_of(
            user="decimal(38,0)",
            day="date",
            p="tinyint",
            item="array<struct<a:double,b:map<string,boolean>>>",
            tag="float",
            at="interval day to second",
            note="boolean",
            score="double",
        )
        assert schema_problems(export, schema) == []
        assert key_types(export, schema) == ("N", "S")
        assert collected_attributes(export, schema) == (
            CollectedAttribute("items", "L"),
            CollectedAttribute("tags", "NS", distinct=True),
        )

    @pytest.mark.parametrize(
        ("kind", "type_"),
        [
            ("string", "S"),
            ("timestamp", "S"),
            ("timestamp_ntz", "S"),
            ("bigint", "N"),
            ("decimal(10,2)", "N"),
            ("binary", "B"),
        ],
    )
    def test_gives_the_key_its_attribute_type(self, kind: str, type_: str) -> None:
        schema = struct_of(user=kind, p="int", item="string", at="int")
        assert schema_problems(EXPORT, schema) == []
        assert key_types(EXPORT, schema) == (type_,)

    def test_has_a_problem_for_each_missing_column(self) -> None:
        export = replace(EXPORT, key=("user", "day"), attributes=("note",))
        schema = struct_of(User="string", p="int", item="string")
        assert schema_problems(export, schema) == [
            "column user must be in analytics.m under this name, got User, which differs in case: "
            "write User in the exposure",
            *(
                f"column {name} must be in analytics.m, got the columns User, p, item: "
                "correct the exposure or the model"
                for name in ("day", "at", "note")
            ),
        ]

    def test_has_a_problem_for_each_column_of_a_wrong_type(self) -> None:
        export = replace(
            EXPORT,
            key=("user", "day"),
            collect=(Collect("items", "item"), Collect("tags", "tag", "set")),
            attributes=("note",),
        )
        schema = struct_of(
            user="double",
            day="boolean",
            p="string",
            item="array<interval day to second>",
            tag="boolean",
            at="int",
            note="interval day to second",
        )
        key = "a string, integer, decimal, date, timestamp or binary to be a key"
        held = "of a type that DynamoDB can hold"
        interval = "interval day to second"
        in_set = "a string, number or binary to be in a set"
        assert schema_problems(export, schema) == [
            "column p of analytics.m must be an integer, got string: "
            "use the macro partition_column()",
            f"column user of analytics.m must be {key}, got double: cast it in the model",
            f"column day of analytics.m must be {key}, got boolean: cast it in the model",
            f"column note of analytics.m must be {held}, got {interval}: cast it in the model",
            f"column item of analytics.m must be {held}, got array<{interval}>: "
            "cast it in the model",
            f"column tag of analytics.m must be {in_set}, got boolean: "
            "cast it in the model, or use as: list",
        ]


def encoded(
    spark: SparkSession, export: Export, ddl: T.StructType, *values: tuple[Any, ...]
) -> list[dict[str, Any]]:
    """The encoded rows of one Spark partition, here sorted by key.

    Checks that partitions are in ascending order, and that the rows of a key are together.
    """
    frame = as_read(spark.createDataFrame(list(values), ddl)).coalesce(1)
    encoded = encode_rows(frame, ddl, export, by_keys=True)
    values = [row.asDict() for row in encoded.collect()]
    batch = pa.RecordBatch.from_pylist(values, to_arrow_schema(encoded.schema))
    columns = text_columns(export, ddl)
    complete = columns.complete(batch)
    if columns.key:
        complete = complete.set_column(1, "key", columns.key.encode(complete.column("key")))
    results = complete.to_pylist()
    places = [place for place, _ in groupby(results, key=lambda r: r["partition"])]
    assert places == sorted(set(places), key=lambda place: 100 if place is None else place)
    runs = [(run, list(group)) for run, group in groupby(results, key=place_and_key)]
    assert len({run for run, _ in runs}) == len(runs)
    return [r for _, group in sorted(runs, key=lambda run: run[0]) for r in group]


def place_and_key(r: dict[str, Any]) -> tuple[int, str]:
    return -1 if r["partition"] is None else r["partition"], r["key"] or ""


def row(partition: int | None, key: str | None, base_bytes: int, **others: Any) -> dict[str, Any]:
    nothing = {"problem": None, "attributes": ""}
    return {"partition": partition, "key": key, **nothing, "base_bytes": base_bytes, **others}


def s(name: str, text: str) -> str:
    return f'"{name}":{{"S":"{text}"}}'


SIMPLE = T.StructType(
    [
        T.StructField("user", STRING),
        T.StructField("p", T.IntegerType()),
        T.StructField("item", STRING),
        T.StructField("at", T.IntegerType()),
    ]
)


class TestEncodedRows:
    def test_come_by_partition_and_key_in_the_order_of_the_export_with_nulls_first(
        self, spark: SparkSession
    ) -> None:
        results = encoded(
            spark,
            EXPORT,
            SIMPLE,
            ("b", 1, "three", 3),
            ("a", 2, "x", 1),
            ("b", 1, "two", 2),
            ("a", 1, None, 7),
            ("b", 1, "null", None),
            ("b", 0, "é", 9),
        )
        assert results == [
            row(0, s("user", "b"), 5, element_0='{"S":"é"}', size_0=3),
            row(1, s("user", "a"), 5, element_0='{"NULL":true}', size_0=2),
            row(1, s("user", "b"), 5, element_0='{"S":"null"}', size_0=5),
            row(1, s("user", "b"), 5, element_0='{"S":"two"}', size_0=4),
            row(1, s("user", "b"), 5, element_0='{"S":"three"}', size_0=6),
            row(2, s("user", "a"), 5, element_0='{"S":"x"}', size_0=2),
        ]

    def test_of_different_keys_with_the_same_hash_are_not_mixed(self, spark: SparkSession) -> None:
        keys = ["u29848", "u51004"]
        frame = spark.createDataFrame([(key,) for key in keys], "key string")
        low_31_bits = F.xxhash64("key").bitwiseAND(F.lit(0x7FFF_FFFF))
        assert [low for (low,) in frame.select(low_31_bits).collect()] == [24494754, 24494754]
        values = [(key, 0, str(at), at) for at in range(3) for key in keys]
        assert encoded(spark, EXPORT, SIMPLE, *values) == [
            row(0, s("user", key), 10, element_0=f'{{"S":"{at}"}}', size_0=2)
            for key in keys
            for at in (0, 1, 2)
        ]

    def test_have_nulls_last_where_the_order_is_descending(self, spark: SparkSession) -> None:
        export = replace(EXPORT, order_by=(Order("at", descending=True), Order("item")))
        values = [("a", 0, "n", None), ("a", 0, "2b", 2), ("a", 0, "3", 3), ("a", 0, "2a", 2)]
        assert encoded(spark, export, SIMPLE, *values) == [
            row(0, s("user", "a"), 5, element_0=f'{{"S":"{item}"}}', size_0=len(item) + 1)
            for item in ("3", "2a", "2b", "n")
        ]

    def test_keep_the_partition_of_a_row_without_one(self, spark: SparkSession) -> None:
        assert encoded(spark, EXPORT, SIMPLE, ("a", None, "x", 1), ("a", 0, "x", 1)) == [
            row(None, s("user", "a"), 5, element_0='{"S":"x"}', size_0=2),
            row(0, s("user", "a"), 5, element_0='{"S":"x"}', size_0=2),
        ]

    def test_have_a_key_of_both_columns_and_all_attributes_in_the_order_of_the_export(
        self, spark: SparkSession
    ) -> None:
        export = replace(
            EXPORT,
            key=("user", "day"),
            collect=(),
            order_by=(),
            attributes=("score", "flag", "tags", "raw"),
        )
        schema = struct_of(
            raw="binary",
            flag="boolean",
            day="date",
            user="bigint",
            p="bigint",
            score="decimal(6,2)",
            tags="array<string>",
        )
        day = date(2024, 2, 29)
        results = encoded(
            spark,
            export,
            schema,
            (b"\xff\xef", True, day, 42, 0, Decimal("1.50"), ["a", None]),
            (None, None, day, 43, 0, None, None),
        )
        assert results == [
            row(
                0,
                '"user":{"N":"42"},"day":{"S":"2024-02-29"}',
                6 + 13 + (5 + 3) + (4 + 1) + (4 + 3 + 2 + 2) + (3 + 2),
                attributes=',"score":{"N":"1.5"},"flag":{"BOOL":true},'
                '"tags":{"L":[{"S":"a"},{"NULL":true}]},"raw":{"B":"/+8="}',
            ),
            row(0, '"user":{"N":"43"},"day":{"S":"2024-02-29"}', 6 + 13),
        ]

    def test_have_elements_of_sets_without_their_type(self, spark: SparkSession) -> None:
        collect = (Collect("tags", "item", "set"), Collect("times", "at"))
        export = replace(EXPORT, collect=collect)
        assert encoded(spark, export, SIMPLE, ("a", 0, 'q"', 1), ("a", 0, None, None)) == [
            row(
                0,
                s("user", "a"),
                5,
                problem="column item must not be NULL in a set, got NULL",
                element_0=None,
                size_0=1,
                element_1='{"NULL":true}',
                size_1=2,
            ),
            row(
                0, s("user", "a"), 5, element_0='"q\\""', size_0=2, element_1='{"N":"1"}', size_1=3
            ),
        ]

    def test_are_made_from_columns_of_any_name(self, spark: SparkSession) -> None:
        key, item, note, order = 'us"er\\', "a.b`c", "né ü'", "`"
        export = replace(
            EXPORT,
            key=(key,),
            partition_column="p.q",
            collect=(Collect("it.ems", item),),
            order_by=(Order(order),),
            attributes=(note,),
        )
        schema = T.StructType(
            [
                T.StructField(key, STRING),
                T.StructField("p.q", T.IntegerType()),
                T.StructField(item, STRING),
                T.StructField(note, STRING),
                T.StructField(order, T.IntegerType()),
            ]
        )
        assert encoded(
            spark, export, schema, ("u", 0, "second", "n", 2), ("u", 0, "first", "n", 1)
        ) == [
            row(
                0,
                '"us\\"er\\\\":{"S":"u"}',
                7 + 8,
                attributes=',"né ü\'":{"S":"n"}',
                element_0=f'{{"S":"{element}"}}',
                size_0=len(element) + 1,
            )
            for element in ("first", "second")
        ]

    def test_of_a_key_that_is_null_empty_or_too_long_have_a_problem(
        self, spark: SparkSession
    ) -> None:
        export = replace(EXPORT, key=("user", "sort"), collect=(), order_by=())
        schema = struct_of(user="string", sort="binary", p="int")
        long = "é" * 1024
        results = encoded(
            spark,
            export,
            schema,
            (None, b"s", 0),
            ("u", None, 1),
            (None, None, 2),
            ("", b"s", 3),
            ("u", b"", 4),
            (long, b"s" * 1024, 5),
            (long + "x", b"s", 6),
            ("u", b"s" * 1025, 7),
            ("", b"", 8),
        )
        null = "key column {} must not be NULL, got NULL"
        empty = "key column {} must not be empty, got ''"
        assert [
            (r["partition"], r["key"] is None, r["problem"], r["base_bytes"]) for r in results
        ] == [
            (0, True, null.format("user"), 4 + 1 + 4 + 1),
            (1, True, null.format("sort"), 4 + 1 + 4 + 1),
            (2, True, null.format("user"), 4 + 1 + 4 + 1),
            (3, False, empty.format("user"), 4 + 4 + 1),
            (4, False, empty.format("sort"), 4 + 1 + 4),
            (5, False, None, 4 + 2048 + 4 + 1024),
            (6, False, "key column user must be at most 2048 bytes, got 2049", 4 + 2049 + 4 + 1),
            (7, False, "key column sort must be at most 1024 bytes, got 1025", 4 + 1 + 4 + 1025),
            (8, False, empty.format("user"), 4 + 4),
        ]

    def test_with_a_float_out_of_range_have_a_problem_that_names_the_column(
        self, spark: SparkSession
    ) -> None:
        export = replace(EXPORT, attributes=("score",))
        schema = struct_of(user="string", p="int", item="array<float>", at="int", score="double")
        results = encoded(
            spark,
            export,
            schema,
            ("a", 0, [1.0], 1, NAN),
            ("b", 0, [INF], 1, 1.0),
            (None, 0, [INF], 1, NAN),
        )
        assert [(r["key"], r["problem"]) for r in results] == [
            (None, "key column user must not be NULL, got NULL"),
            (s("user", "a"), refusal("NaN", "column score")),
            (s("user", "b"), refusal("Infinity", "column item")),
        ]


# --- from rows to the changeset ---------------------------------------------------------------

SOLD = replace(
    SHORT,
    name="sold",
    key=("user", "day"),
    collect=(
        Collect("items", "item"),
        Collect("first", "item", distinct=True, limit=2),
        Collect("prices", "price", "set"),
    ),
    order_by=(Order("at", descending=True), Order("n")),
    attributes=("name",),
)
SALES = T.StructType(
    [
        T.StructField("n", T.IntegerType()),
        T.StructField("user", STRING),
        T.StructField("day", T.DateType()),
        T.StructField("p", T.IntegerType()),
        T.StructField("at", T.IntegerType()),
        T.StructField("item", STRING),
        T.StructField("price", T.DecimalType(20, 10)),
        T.StructField("name", STRING),
    ]
)
USERS = ["", "a", 'b"', "é😀", "\x00", None]
PRICES = [Decimal("0"), Decimal("1.5"), Decimal("-12.34"), Decimal("0.0000000001")]


def sales() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    purchase = st.tuples(
        st.sampled_from(USERS),
        st.sampled_from([date(2024, 2, 29), date(1, 1, 1)]),
        st.none() | st.integers(-2, 2),
        st.none() | st.sampled_from(["x", "y", 'z"\n', ""]),
        # Few nulls, since each one rejects its item.
        st.sampled_from([*PRICES * 6, None]),
    )
    return st.lists(purchase, max_size=5) | st.lists(purchase, min_size=60, max_size=150)


def sale(n: int, values: tuple[Any, ...]) -> dict[str, Any]:
    user, day, at, item, price = values
    place = zlib.crc32(f"{user} {day}".encode()) % 4
    name = None if user is None or len(user) % 2 else user * 2
    return {"n": n, "user": user, "day": day, "p": place, "at": at} | {
        "item": item, "price": price, "name": name,
    }  # fmt: skip


def item_by_hand(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of one key → the item; nulls come last in descending order."""
    ordered = sorted(members, key=lambda r: (r["at"] is None, -(r["at"] or 0), r["n"]))
    items = [r["item"] for r in ordered]
    item = {
        "user": members[0]["user"],
        "day": members[0]["day"].isoformat(),
        "items": items,
        "first": list(dict.fromkeys(items))[:2],
        "prices": {r["price"] for r in ordered},
        "name": members[0]["name"],
    }
    return {n: v for n, v in item.items() if v is not None}


def reason_by_hand(members: list[dict[str, Any]]) -> str | None:
    if members[0]["user"] is None:
        return "key column user must not be NULL, got NULL"
    if members[0]["user"] == "":
        return "key column user must not be empty, got ''"
    if any(r["price"] is None for r in members):
        return "column price must not be NULL in a set, got NULL"
    return None


class TestAPlan:
    @settings(bulk, max_examples=6)
    @given(values=sales())
    def test_has_the_items_that_grouping_by_hand_makes(
        self,
        spark: SparkSession,
        tmp_path_factory: pytest.TempPathFactory,
        values: list[tuple[Any, ...]],
    ) -> None:
        sold = [sale(n, purchase) for n, purchase in enumerate(values)]
        folder = tmp_path_factory.mktemp("changes")
        results = planned(spark, sold, folder)

        keys: dict[tuple[int, Any, Any], list[dict[str, Any]]] = {}
        for r in sold:
            keys.setdefault((r["p"], r["user"], r["day"]), []).append(r)
        good = [members for members in keys.values() if reason_by_hand(members) is None]
        bad = [members for members in keys.values() if reason_by_hand(members)]

        changes = [change for plan in results for change in changes_of(folder, plan)]
        items = [(item_of(change), change["size"]) for change in changes]
        by_hand = [item_by_hand(members) for members in good]
        assert sorted(items, key=key_of) == sorted(
            [(item, size_of(item)) for item in by_hand], key=key_of
        )
        assert all(change["op"] == PUT for change in changes)
        assert sum(plan.rows for plan in results) == len(sold)
        rejects = [reject for plan in results for reject in plan.rejects]
        assert sorted(rejects, key=repr) == sorted(rejects_by_hand(bad), key=repr)


def planned(spark: SparkSession, sold: list[dict[str, Any]], folder: Path) -> list[PartitionResult]:
    """As in a run, one Spark partition may hold many partitions of the model."""
    values = [tuple(r[name] for name in SALES.names) for r in sold]
    frame = as_read(spark.createDataFrame(values, SALES)).repartition(3, "p")
    place = Location(str(folder))
    rejects = Rejects(place, "run", "sold")
    columns = text_columns(SOLD, SALES)
    files = PartitionFiles(place, "run")
    task = PlanTask(files, 4, collected_attributes(SOLD, SALES), rejects, columns)
    outcomes = encode_rows(frame, SALES, SOLD).mapInArrow(task, OUTCOME).collect()
    return partition_results(row.outcome for row in outcomes)


def changes_of(folder: Path, plan: PartitionResult) -> list[dict[str, Any]]:
    if plan.part is None:
        return []
    extent = Extent(plan.part.partition, plan.part.file, 0, len(plan.part.batches))
    batches = read_extent(Location(str(folder / "run" / CHANGES)), extent)
    return [change for batch in batches for change in batch.to_pylist()]


def item_of(change: dict[str, Any]) -> dict[str, Any]:
    item = json.loads(change["request"])["PutRequest"]["Item"]
    return {name: read(value) for name, value in item.items()}


def size_of(item: dict[str, Any]) -> int:
    return sum(len(name.encode()) + weight(write(value)) for name, value in item.items())


def key_of(item_and_size: tuple[dict[str, Any], int]) -> tuple[str, str]:
    item, _ = item_and_size
    return item["user"], item["day"]


def rejects_by_hand(bad: list[list[dict[str, Any]]]) -> list[Reject]:
    """One reject per item; rows without a key are counted by partition."""
    rejects = []
    keyless: dict[int, Reject] = {}
    for members in bad:
        user, day, place = (members[0][name] for name in ("user", "day", "p"))
        reason = str(reason_by_hand(members))
        if user is None:
            keyless.setdefault(place, Reject(reason, 0)).rows += len(members)
        else:
            key = f'"user":{json.dumps({"S": user}, ensure_ascii=False, separators=(",", ":"))}'
            rejects.append(Reject(reason, len(members), f"{key},{s('day', day.isoformat())}"))
    return [*rejects, *keyless.values()]
