"""The report of a complete run."""

from loader.report import Report

RUN = "2026-01-02T03-04-05Z"
COMPLETE = Report(
    run=RUN,
    export="user_items",
    table="items",
    folder=".loader/run",
    rows_read=12_000,
    rows_grouped=12_000,
    rows_rejected=0,
    items=4_000,
    put=4_000,
    rejected=0,
    not_sent=0,
    requests=160,
    retries=2,
    throttled=1,
    write_units=4_321.4,
    plan_seconds=2.0,
    apply_seconds=4.0,
)
