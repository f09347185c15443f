"""The report of a complete run."""

from loader.report.metrics import OverTime
from loader.report.run_context import RunContext
from loader.report.totals import Report

RUN = "2026-01-02T03-04-05Z"
CONTEXT = RunContext(
    start_seconds=3.0,
    check_seconds=1.0,
    apply_seconds=4.0,
    apply_began=1_767_323_051.7,
    region="eu-west-1",
    billing_mode="PAY_PER_REQUEST",
    settings={"target": "prod", "profiles_dir": None, "queries": 8, "spark": {"spark.a": "b"}},
    versions={"loader": "1.0", "pyspark": "4.0.0", "python": "3.11.7"},
    load_command="loader load --export user_items --target prod",
    apply_command="loader apply .loader/run",
)
COMPLETE = Report(
    run=RUN,
    export="user_items",
    model="stg_orders",
    table="items",
    folder=".loader/run",
    rows_read=12_000,
    rows_grouped=12_000,
    rows_rejected=0,
    items=4_000,
    split_items=0,
    truncated_items=0,
    dropped_elements=0,
    changes=4_000,
    put=4_000,
    rejected_by_plan=0,
    rejected_by_table=0,
    max_rejects=0,
    not_sent=0,
    requests=160,
    retries=2,
    throttled=1,
    write_units=4_321.4,
    warehouse_rows_before=None,
    warehouse_rows_after=None,
    warehouse_keys=None,
    plan_seconds=2.0,
    plan_facts={},
    rejects=[],
    partitions_not_sent=[],
    over_time=OverTime(),
    queries=[],
    partitions=[],
    context=CONTEXT,
)
