"""Texts come from the JVM as they are, and become DynamoDB JSON here, a batch at a time.

Spark's to_json costs five times the CPU (docs/performance.md).
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.json_text import json_text
from loader.items.limits import ELEMENT_BYTES

# https://www.rfc-editor.org/rfc/rfc8259#section-7
TO_BE_ESCAPED = bytes(range(0x20)) + b'"\\'
ONE_TO_BE_ESCAPED = r'[\x00-\x1f"\\]'


def escaped(texts: pa.StringArray) -> pa.StringArray:
    """Each text as it stands between the quotes of a JSON string; null for null."""
    content = _content(texts)
    if len(content.translate(None, TO_BE_ESCAPED)) == len(content):
        return texts
    special = pc.match_substring_regex(texts, ONE_TO_BE_ESCAPED)
    found = [json_text(text)[1:-1] for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(texts, special, pa.array(found, texts.type))


def _content(texts: pa.StringArray) -> bytes:
    """The bytes of all the texts, one behind the other."""
    _, offsets, content = texts.buffers()
    if content is None:
        return b""
    bulky_attributes = pa.types.is_large_string(texts.type)
    ends = memoryview(offsets).cast("q") if bulky_attributes else memoryview(offsets).cast("i")
    return memoryview(content)[ends[texts.offset] : ends[texts.offset + len(texts)]].tobytes()


@dataclass(frozen=True)
class TextKey:
    """A key of one text, which becomes JSON once an item, not once a row."""

    name: str

    def encode(self, texts: pa.StringArray) -> pa.StringArray:
        """`"user_id":{"S":"12347"}` for 12347; null for null."""
        opening = json_text(self.name) + ':{"S":"'
        return pc.binary_join_element_wise(opening, escaped(texts), '"}', "")


@dataclass(frozen=True)
class TextElements:
    """Texts that are collected: a list's element has its type, a set's has not.

    `null` is the JSON of NULL, None where it is left out.
    """

    of_list: bool
    null: str | None

    def encode(self, texts: pa.StringArray) -> tuple[pa.StringArray, pa.Int32Array]:
        """`{"S":"85123A"}` or `"85123A"`, and the bytes that DynamoDB counts for each."""
        opening, closing, own = ('{"S":"', '"}', ELEMENT_BYTES) if self.of_list else ('"', '"', 0)
        elements = pc.binary_join_element_wise(opening, escaped(texts), closing, "")
        if self.null is not None:
            elements = pc.fill_null(elements, self.null)
        length = pc.fill_null(pc.binary_length(texts), 1)
        return elements, pc.add(length, pa.scalar(own, length.type))


@dataclass(frozen=True)
class Texts:
    """What of an export's rows comes as text: its key, and of its collected attributes those that
    are not None."""

    key: TextKey | None = None
    elements: tuple[TextElements | None, ...] = ()

    def completed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Encoded rows (rows.py) with what the JVM leaves out: JSON and bytes of text elements, and
        `attributes` where there are none. The key stays a text."""
        columns = {name: batch.column(name) for name in batch.schema.names}
        for i, one in enumerate(self.elements):
            if one is not None:
                columns[f"element_{i}"], columns[f"size_{i}"] = one.encode(columns[f"element_{i}"])
        columns.setdefault("attributes", pa.repeat("", batch.num_rows))
        return pa.RecordBatch.from_pydict(columns)
