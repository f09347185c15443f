"""The commit of a run: its state replaces the one that its plan was compared with."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from loader.errors import ApplyFailed, Outdated, VersionConflict
from loader.items.delta import STATE, without
from loader.items.digest import ENCODING
from loader.plan.result import Plan
from loader.storage.changeset import CHANGES, Slice, read_extent
from loader.storage.location import Location
from loader.storage.slice_outcome import SliceOutcome
from loader.storage.state_file import State, commit, read_state
from loader.storage.state_part import STATE_PARTS, StatePart, read_state_part, write_state_part
from loader.storage.unfinished import begin, read_begun
from loader.utc_time import utc_text

COLUMNS = ("key", "prior", "in_state")


def begin_run(plan: Plan, folder: Location, ended_slices: int = 0) -> str:
    """Record in the state file that the run begins to write; `folder` is that of the export.

    Returns the version of the state file, for the commit. Raises `Outdated` if another run was
    committed, or has begun to write, since the plan; or if slices of this run have ended and the
    state does not know it: the state was deleted, and the table may have changed since.
    """
    state, version = _require_current(plan, folder)
    state = state or _no_state(plan)
    if ended_slices and plan.run not in state.unfinished:
        raise Outdated(
            f"run {plan.run} must be in the state of export {plan.export}, because it has begun "
            "to write, got a state without it: plan again"
        )
    try:
        return begin(folder, state, version, plan.run)
    except VersionConflict:
        raise Outdated(
            f"export {plan.export} must have one run at a time, got another that began at the same "
            "time: plan again"
        ) from None


def require_current(plan: Plan, folder: Location) -> bool:
    """Whether the plan's run has begun before.

    Raises `Outdated` if another run was committed, or has begun to write, since the plan.
    """
    state, _ = _require_current(plan, folder)
    return state is not None and plan.run in state.unfinished


def require_changes(plan: Plan, folder: Location) -> None:
    """Raise `Outdated` if the changeset is gone from the folder of the run."""
    files = (folder / CHANGES).files()
    if any(part.file not in files for part in plan.parts):
        raise Outdated(
            f"a plan must have its folder {CHANGES}, got {folder} without it: "
            f"a complete run removes it; read its report.json, or plan again"
        )


def _require_current(plan: Plan, folder: Location) -> tuple[State | None, str | None]:
    state, version = read_state(folder)
    serial, run, unfinished = (state.serial, state.run, state.unfinished) if state else (0, "", ())
    if run == plan.run:
        raise Outdated(f"run {plan.run} must not be committed yet, got a committed run: plan again")
    if (serial, run) != (plan.base, plan.base_run):
        raise Outdated(
            f"the state of export {plan.export} must be that of the plan (serial {plan.base}), got "
            f"serial {serial}: another run ({run or 'none'}) was committed since this plan: "
            "plan again"
        )
    folded = tuple(plan.folded)
    if unfinished not in (folded, (*folded, plan.run)):
        others = [name for name in unfinished if name not in (*folded, plan.run)]
        raise Outdated(
            f"the plan of export {plan.export} must know all runs that have begun to write, got "
            f"another run ({', '.join(others) or 'none'}) that began since this plan: plan again"
        )
    return state, version


def _no_state(plan: Plan) -> State:
    """The state before the first commit."""
    return State(
        serial=0,
        run="",
        export=plan.export,
        identity={},
        key=tuple(plan.key),
        partitions=plan.partitions,
        encoding=ENCODING,
        attributes={},
        committed="",
        parts=(),
    )


def commit_run(
    plan: Plan, run: Location, outcomes: Sequence[SliceOutcome], version: str | None
) -> State:
    """Commit what the table holds after all changes of the run were acknowledged or rejected.

    Raises `ApplyFailed` if another run was committed.
    """
    export = run.parent.parent
    state = State(
        serial=plan.base + 1,
        run=plan.run,
        export=plan.export,
        identity=asdict(plan.identity) if plan.identity else {},
        key=tuple(plan.key),
        partitions=plan.partitions,
        encoding=ENCODING,
        attributes=plan.attribute_types,
        committed=utc_text(datetime.now(timezone.utc)),
        parts=tuple(_parts(plan, run, outcomes)),
        rows_version=plan.rows_version,
        rows=plan.rows,
    )
    try:
        commit(export, state, version)
    except VersionConflict as conflict:
        raise ApplyFailed(
            f"cannot commit run {plan.run} of export {plan.export}: another run was committed "
            f"meanwhile ({conflict}). Load again"
        ) from conflict
    return state


def _parts(plan: Plan, run: Location, outcomes: Sequence[SliceOutcome]) -> Iterator[StatePart]:
    """The state of each partition, if it has keys."""
    rejecting = [outcome for outcome in outcomes if outcome.rejected]
    restored = _restored(run, rejecting) if rejecting else {}
    for result in plan.partition_results:
        part = result.state
        if part and result.partition in restored:
            part = _rewritten(run, part, restored[result.partition])
        if part and part.keys:
            yield part


def _restored(
    run: Location, rejecting: Sequence[SliceOutcome]
) -> dict[int, tuple[pa.Array, pa.Table]]:
    """By partition: the keys that DynamoDB rejected, and their old state.

    The outcome of a slice names its first rejects only. If it has more, all keys of the slice are
    in doubt.
    """
    begun = read_begun(run)
    slices = {piece.number: piece for piece in begun.slices} if begun else {}
    restored: dict[int, tuple[pa.Array, pa.Table]] = {}
    for outcome in rejecting:
        named = (
            [key for key, _ in outcome.rejects]
            if outcome.rejected == len(outcome.rejects)
            else None
        )
        for partition, keys, state in _old_state(run, slices[outcome.number], named):
            known = restored.get(partition, (pa.array([], pa.string()), STATE.empty_table()))
            restored[partition] = (
                pa.concat_arrays([known[0], keys]),
                pa.concat_tables([known[1], state]),
            )
    return restored


def _old_state(
    run: Location, piece: Slice, named: list[str] | None
) -> Iterator[tuple[int, pa.Array, pa.Table]]:
    """Partition, keys and old state of the named changes; of all changes, in doubt, if None."""
    for extent in piece.extents:
        for batch in read_extent(run / CHANGES, extent, COLUMNS):
            rows = batch
            if named is not None:
                rows = batch.filter(pc.is_in(batch.column("key"), pa.array(named, pa.string())))
            if not rows.num_rows:
                continue
            unknown = [pa.nulls(rows.num_rows, STATE.field(n).type) for n in ("size", "rows_hash")]
            table = pa.table([rows.column("key"), rows.column("prior"), *unknown], schema=STATE)
            state = (
                without(table, "digest") if named is None else table.filter(rows.column("in_state"))
            )
            yield extent.partition, rows.column("key"), state


def _rewritten(run: Location, part: StatePart, change: tuple[pa.Array, pa.Table]) -> StatePart:
    """The part with the old state of these keys."""
    keys, old = change
    table = read_state_part(run.parent.parent, part)
    kept = table.filter(pc.invert(pc.is_in(table.column("key"), keys)))
    name = f"{part.partition:05d}-{uuid4().hex[:8]}.arrow"
    batches = [*kept.to_batches(), *old.to_batches()]
    count, checksum = write_state_part(run / STATE_PARTS, name, batches)
    folder = part.file.rpartition("/")[0]
    return StatePart(part.partition, f"{folder}/{name}", count, checksum)
