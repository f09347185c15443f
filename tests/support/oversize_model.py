"""The items that oversize keys must become, computed with all rows of a key in memory."""

from collections.abc import Iterator, Sequence

from loader.items.collected_attribute import CollectedAttribute
from loader.items.limits import count_bytes
from tests.support.encoded_rows import Row
from tests.support.grouping_model import Item, items_by_hand

Kept = list[tuple[str, int] | None]


def kept_rows(rows: Sequence[Row], collected: Sequence[CollectedAttribute]) -> list[Kept]:
    """The rows of one key with a kept element; None for an element that is not kept."""
    rows_kept: list[Kept] = []
    kept: list[list[tuple[str, int]]] = [[] for _ in collected]
    for row in rows:
        stays: Kept = []
        for attribute, element, before in zip(collected, row.elements, kept, strict=True):
            full = attribute.limit is not None and len(before) >= attribute.limit
            stays.append(None if full or (attribute.distinct and element in before) else element)
            if stays[-1]:
                before.append(stays[-1])
        if any(stays):
            rows_kept.append(stays)
    return rows_kept


def limited_rows(rows: Sequence[Row], collected: Sequence[CollectedAttribute]) -> list[Kept]:
    """All rows; None for an element that `limit` leaves out of the whole item."""
    kept = kept_rows(rows, collected)
    limited: list[Kept] = [[] for _ in rows]
    for i, attribute in enumerate(collected):
        allowed = [row[i] for row in kept]
        for number, (row, elements) in enumerate(zip(rows, limited, strict=True)):
            within = attribute.limit is None or number < attribute.limit
            stays = row.elements[i] in allowed if attribute.distinct else within
            elements.append(row.elements[i] if stays else None)
    return limited


def item_of(rows: Sequence[Kept], collected: Sequence[CollectedAttribute]) -> list[Kept]:
    """The item of these rows alone."""
    item: list[Kept] = []
    for row in rows:
        repeats = [element in [before[i] for before in item] for i, element in enumerate(row)]
        item.append(
            [
                None if attribute.distinct and repeated else element
                for attribute, element, repeated in zip(collected, row, repeats, strict=True)
            ]
        )
    return item


def weight(rows: Sequence[Kept]) -> int:
    return sum(element[1] for row in rows for element in row if element)


def first_fitting(rows: list[Kept], room: int) -> list[Kept]:
    return rows[: next((n for n in range(len(rows)) if weight(rows[: n + 1]) > room), len(rows))]


def item_rows_by_hand(
    members: Sequence[Row], collected: Sequence[CollectedAttribute], whole: int
) -> list[list[Kept]]:
    """The rows of each item of one key; no items where one row fits in none."""
    rows = kept_rows(members, collected)
    split = collected[0].split
    if split is None:
        if weight(rows) <= whole:
            return [rows]
        room = whole - sum(len(attribute.dropped.encode()) + 7 for attribute in collected)
        if collected[0].truncate == "last":
            limited = limited_rows(members, collected)
            items = (item_of(limited[start:], collected) for start in range(len(limited) + 1))
            return [next(item for item in items if weight(item) <= room)] if room >= 0 else [[]]
        return [first_fitting(rows, room)]
    item_rows: list[list[Kept]] = []
    while rows or not item_rows:
        room = whole - len(split.encode()) - count_bytes(len(item_rows))
        if weight(rows) > room and not item_rows:
            room -= len(collected[0].split_count_attribute.encode()) + 7
        item_rows.append(first_fitting(rows, room))
        if rows and not item_rows[-1]:
            return []
        rows = rows[len(item_rows[-1]) :]
    return item_rows


def oversize_items_by_hand(
    rows: Sequence[Row], collected: Sequence[CollectedAttribute], limit: int
) -> Iterator[Item]:
    """The expected items of each key, with all its rows in memory."""
    for plain in items_by_hand(rows, collected, 10**9):
        members = [r for r in rows if (r.partition, r.key) == (plain["partition"], plain["key"])]
        head, all_rows = members[0], kept_rows(members, collected)
        base = head.base_bytes + sum(attribute.overhead for attribute in collected)
        item_rows = item_rows_by_hand(members, collected, limit - base)
        split = collected[0].split
        smallest = base + (len(split.encode()) + 1 if split else 0)
        if not split and base + weight(all_rows) > limit:
            smallest += sum(len(attribute.dropped.encode()) + 7 for attribute in collected)
        if plain["problem"] or smallest > limit or not item_rows:
            key = plain["key"] + (f',"{split}":{{"N":"0"}}' if split else "")
            yield {**plain, "key": key, "problem": plain["problem"] or "too large"}
            continue
        for number, members_of_item in enumerate(item_rows):
            item, size = str(head.key), head.base_bytes
            if split:
                item += f',"{split}":{{"N":"{number}"}}'
                size += len(split) + count_bytes(number)
            key, stamps, dropped = item, "", 0
            if len(item_rows) > 1 and not number:
                stamps += f',"{collected[0].split_count_attribute}":{{"N":"{len(item_rows)}"}}'
                size += len(collected[0].split_count_attribute) + count_bytes(len(item_rows))
            for i, attribute in enumerate(collected):
                elements = [element for row in members_of_item if (element := row[i])]
                if elements or attribute.type == "L":
                    texts = [element[0] for element in elements]
                    inside = ",".join(sorted(texts) if attribute.is_set else texts)
                    item += f"{attribute.opening}{inside}]}}"
                    size += attribute.overhead + sum(element[1] for element in elements)
                missing = sum(bool(row[i]) for row in all_rows) - len(elements)
                if missing and not split:
                    stamps += f',"{attribute.dropped}":{{"N":"{missing}"}}'
                    size += len(attribute.dropped.encode()) + count_bytes(missing)
                    dropped += missing
            yield {
                "partition": head.partition,
                "key": key,
                "item": item + head.attributes + stamps,
                "size": size,
                "rows": 0 if number else len(members),
                "dropped": dropped,
                "problem": None,
                "rows_hash": None,
            }
