"""The output of `loader state show`: lines for a terminal, facts for `--json`."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from loader.dynamodb.identity import TableIdentity
from loader.items.digest import ENCODING
from loader.report import formats
from loader.report.ages import ago
from loader.report.status import Status
from loader.report.status_lines import lock_line, status_facts, unfinished_lines
from loader.storage.state_file import CURRENT_FILE, State

# What `loader state show --json` has of `loader status --json`, after the fields of the state.
OF_STATUS = ("lock", "in_doubt", "unfinished", "next_command")


def state_lines(status: Status, state: State, now: datetime) -> list[str]:
    """One line per fact; `status` is that of the same export."""
    by = "adopted from the table" if state.adopted else "committed"
    size = formats.size(status.state.bytes) if status.state else "an unknown size"
    encoding = str(state.encoding)
    if state.encoding != ENCODING:
        encoding += f", and this loader has {ENCODING}: the next load puts every item"
    lines = [
        f"{state.export}   state {state.serial:,}, {by} {ago(state.committed, now)}",
        f"  committed  {state.committed} by run {state.run}",
        f"  table      {TableIdentity(**state.identity)}",
        f"  keys       {state.keys:,} in {len(state.parts):,} files, {size}",
        f"  key        {_typed(dict(state.key))}",
        f"  attributes {_typed(state.attributes)}",
        f"  partitions {state.partitions:,}",
        f"  encoding   {encoding}",
        lock_line(status, now),
        *unfinished_lines(status),
        f"  file       {status.folder}/{CURRENT_FILE}",
    ]
    if status.unfinished:
        lines.append(f"{status.next_step}:  {status.next_command}")
    return lines


def state_facts(status: Status, state: State) -> dict[str, Any]:
    """The same facts as a JSON object."""
    document = asdict(state)
    document["parts"] = len(state.parts)
    # One only makes each version of the file another one; the other means nothing to a person.
    del document["begins"], document["rows_version"]
    facts = status_facts(status)
    of_status = {name: facts[name] for name in OF_STATUS}
    size = status.state.bytes if status.state else None
    return {**document, "keys": state.keys, "bytes": size, **of_status}


def _typed(types: dict[str, str]) -> str:
    return ", ".join(f"{name} ({type_})" for name, type_ in types.items()) or "none"
