"""Keys whose rows are the same as in the last run, found without reading the rows.

The warehouse sums the hashes of each key's rows; the state has the sums of the rows that its items
were made of. Only the rows of keys whose sum differs are read, and their items are then compared
like all others: a sum that differs does not mean that the item does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from loader.capacity_setting import DEFAULT
from loader.items.digest import ENCODING
from loader.items.encoded_rows import KEY_HASH, ROW_COUNT, ROWS_HASH
from loader.items.export import MAX_DELETES, MIN_ROWS, Export
from loader.items.key_runs import HASH_MASK
from loader.items.text_encoding import TextKey
from loader.package_version import package_version
from loader.plan.known_state import KnownState
from loader.plan.partition_files import PartitionFiles
from loader.plan.task import by_partition
from loader.settings import Settings
from loader.warehouse.ranges import Ranges

if TYPE_CHECKING:
    from loader.plan.view_check import View

OUTCOME = "outcome string"
# Beyond this share of keys, one read of all rows costs less than two queries.
MOST_CHANGED = 0.3
# A comparison pays if a read of all rows returns so many times its values.
LEAST_GAIN = 2
# Redshift's statements have at most 16 MB: https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_reference.html
MOST_KEYS_PER_QUERY = 50_000


def rows_version(export: Export, view: View) -> str:
    """What an item depends on besides the rows of its key; "" if the rows have no hashes.

    With the same version and the same rows, an item is the same.
    """
    if view.row_hash is None:
        return ""
    shape = replace(
        export,
        name="",
        table="",
        min_rows=MIN_ROWS,
        max_deletes=MAX_DELETES,
        max_changes=None,
        write_capacity=DEFAULT,
        read_capacity=DEFAULT,
        role_arn="",
        external_id="",
    )
    parts = (
        package_version(),
        ENCODING,
        view.row_hash.version,
        shape,
        view.attribute_types,
    )
    text = repr((*parts, view.index_keys))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def can_compare(known: KnownState, settings: Settings, export: Export) -> bool:
    """Whether the state has sums that the warehouse's can be compared with, and it pays.

    The comparison reads the key, the partition and three numbers of each key, which the warehouse
    has to group. With few narrow rows per key, all rows cost less: 10 million rows of three
    columns, each with its own key, take 22 s to read, and 53 s to compare.
    """
    if settings.full or not (known.rows_comparable and known.partitioned):
        return False
    compared = known.keys * (len(export.key) + 1 + 3)
    return known.rows * (len(export.columns) + 1) >= LEAST_GAIN * compared


@dataclass
class Compared:
    """What the sums say of one partition.

    The warehouse has `rows` there and `keys`, NULL not counted. The `file` in the run's folder has
    the number of rows of each key of the state whose rows are the same, 0 for other keys. The rows
    of `changed` keys must be read; `read` has their hashes, or nothing if they are too many for one
    query.
    """

    partition: int | None
    rows: int
    keys: int
    file: str | None = None
    changed: int = 0
    read: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class CompareTask:
    """Compares the keys of one Spark partition (encoded_rows.encode_keys) with the state."""

    files: PartitionFiles
    partitions: int
    text_key: TextKey | None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row per partition, with `Compared` as JSON."""
        changed, outcomes = 0, []
        for partition, stream in by_partition(batches):
            result = self._partition(partition, pa.concat_batches(list(stream)))
            changed += result.changed
            # The driver has no use for them, and may not have the memory.
            if changed > MOST_KEYS_PER_QUERY:
                result.read = []
            outcomes.append(json.dumps(asdict(result)))
        yield pa.RecordBatch.from_arrays([pa.array(outcomes, pa.string())], ["outcome"])

    def _partition(self, partition: int | None, rows: pa.RecordBatch) -> Compared:
        keys, hashes = rows.column("key"), rows.column(KEY_HASH)
        row_count = rows.column(ROW_COUNT)
        result = Compared(partition, pc.sum(row_count).as_py(), rows.num_rows - keys.null_count)
        prior = (self.files.known or {}).get(partition)
        if prior is None or partition is None or not 0 <= partition < self.partitions:
            return self._to_read(result, hashes)
        if self.text_key:
            keys = self.text_key.encode(keys)
        state = prior.read()
        same = same_rows(state, keys, rows.column(ROWS_HASH))
        self._to_read(result, hashes.filter(pc.invert(same)))
        index = pc.index_in(state.column("key"), value_set=keys.filter(same))
        counts = pc.fill_null(row_count.filter(same).take(index), 0)
        result.file = self.files.write_row_counts(partition, counts)
        return result

    def _to_read(self, result: Compared, hashes: pa.Int64Array) -> Compared:
        result.changed = len(hashes)
        result.read = hashes.slice(0, MOST_KEYS_PER_QUERY).to_pylist()
        return result


def same_rows(state: pa.Table, keys: pa.StringArray, sums: pa.Array) -> pa.BooleanArray:
    """Whether the state (STATE) has an item made of the same rows, for each key.

    A key that is there twice has none: two keys of the warehouse can be one in DynamoDB.
    """
    known = state.combine_chunks()
    index = pc.index_in(keys, value_set=known.column("key"))
    is_known = pc.is_valid(known.column("digest").take(index))
    # The remainder that a negative sum leaves is negative.
    is_equal = pc.equal(pc.bit_wise_and(sums, HASH_MASK), known.column("rows_hash").take(index))
    same = pc.fill_null(pc.and_(is_known, is_equal), False).combine_chunks()
    if pc.count_distinct(keys, mode="all").as_py() == len(keys):
        return same
    counts = pc.value_counts(keys)
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return pc.and_not(same, pc.is_in(keys, value_set=twice))


def compared(outcomes: Iterable[str]) -> list[Compared]:
    return [Compared(**json.loads(outcome)) for outcome in outcomes]


def keys_to_read(partitions: Iterable[Compared], read: Ranges) -> list[list[int]] | None:
    """The hashes of the keys to read, per query; None if it is better to read all rows."""
    keys: list[list[int]] = [[] for _ in range(read.queries)]
    total, changed = 0, [0] * read.queries
    for partition in partitions:
        # A partition that the export must not have is read by the query at that end.
        number = min(max(partition.partition or 0, 0), read.partitions - 1)
        keys[number // read.stride] += partition.read
        changed[number // read.stride] += partition.changed
        total += partition.keys
    few = sum(changed) <= MOST_CHANGED * total and max(changed) <= MOST_KEYS_PER_QUERY
    return keys if few else None


def new_key_is_known(
    known: KnownState,
    new: Sequence[pa.StringArray],
    rejected: Mapping[int | None, Sequence[str]] = MappingProxyType({}),
) -> bool:
    """Whether a new key of one partition is in the state of any, or new in another one too.

    A `rejected` key of a partition may be in the state of that partition.
    """
    of_rejected = {n: pa.array(keys, pa.string()) for n, keys in rejected.items()}
    keys = pa.concat_arrays([pa.array([], pa.string()), *new, *of_rejected.values()])
    if not len(keys):
        return False
    if pc.count_distinct(keys).as_py() < len(keys):
        return True
    for partition, prior in known.parts.items():
        state = prior.read().column("key")
        found = state.filter(pc.is_in(state, value_set=keys))
        own = of_rejected.get(partition, pa.array([], pa.string()))
        if pc.any(pc.invert(pc.is_in(found, value_set=own))).as_py():
            return True
    return False
