"""Text columns come from the JVM unencoded, and become DynamoDB JSON here, one batch at a time.

Spark's to_json costs five times the CPU (docs/decisions/0007).
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.json_text import json_text
from loader.items.limits import ELEMENT_BYTES

# https://www.rfc-editor.org/rfc/rfc8259#section-7
ESCAPED_BYTES = bytes(range(0x20)) + b'"\\'
ESCAPED_CHARACTER = r'[\x00-\x1f"\\]'


def escaped(texts: pa.StringArray) -> pa.StringArray:
    """The text between the quotes of each JSON string; null for null."""
    content = _content(texts)
    if len(content.translate(None, ESCAPED_BYTES)) == len(content):
        return texts
    special = pc.match_substring_regex(texts, ESCAPED_CHARACTER)
    replacements = [json_text(text)[1:-1] for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(texts, special, pa.array(replacements, texts.type))


def _content(texts: pa.StringArray) -> bytes:
    """The bytes of all texts, concatenated."""
    _, offsets, content = texts.buffers()
    if content is None:
        return b""
    ends = memoryview(offsets).cast("q" if pa.types.is_large_string(texts.type) else "i")
    return memoryview(content)[ends[texts.offset] : ends[texts.offset + len(texts)]].tobytes()


@dataclass(frozen=True)
class TextKey:
    """A key of one text, which is encoded once per item, not once per row."""

    name: str

    def encode(self, texts: pa.StringArray) -> pa.StringArray:
        """`"user_id":{"S":"12347"}` for 12347; null for null."""
        opening = json_text(self.name) + ':{"S":"'
        return pc.binary_join_element_wise(opening, escaped(texts), '"}', "")


@dataclass(frozen=True)
class TextElements:
    """Collected texts. `null` is the JSON of NULL; None if it is left out."""

    of_list: bool
    null: str | None

    def encode(self, texts: pa.StringArray) -> tuple[pa.StringArray, pa.Int32Array]:
        """`{"S":"85123A"}` in a list, `"85123A"` in a set, and the bytes that DynamoDB counts."""
        opening, closing, overhead = (
            ('{"S":"', '"}', ELEMENT_BYTES) if self.of_list else ('"', '"', 0)
        )
        elements = pc.binary_join_element_wise(opening, escaped(texts), closing, "")
        if self.null is not None:
            elements = pc.fill_null(elements, self.null)
        length = pc.fill_null(pc.binary_length(texts), 1)
        return elements, pc.add(length, pa.scalar(overhead, length.type))


@dataclass(frozen=True)
class TextColumns:
    """The text columns of an export: its key, and per collected attribute its elements or None."""

    key: TextKey | None = None
    elements: tuple[TextElements | None, ...] = ()

    def complete(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Encoded rows (encoded_rows.py) with the columns that the JVM leaves out.

        The key stays a text.
        """
        columns = {name: batch.column(name) for name in batch.schema.names}
        for i, elements in enumerate(self.elements):
            if elements is not None:
                element, size = f"element_{i}", f"size_{i}"
                columns[element], columns[size] = elements.encode(columns[element])
        columns.setdefault("attributes", pa.repeat("", batch.num_rows))
        return pa.RecordBatch.from_pydict(columns)
