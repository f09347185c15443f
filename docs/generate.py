"""Generate the reference pages from the code, so that they cannot differ from it.

python -m docs.generate            write the pages
python -m docs.generate --check    exit with 1 if a page is not up to date (`make check`)
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel

from docs import roles
from loader import cli
from loader.dbt.bundle import bundle_schema
from loader.dbt.exposure_settings import (
    CollectSettings,
    ExposureSettings,
    Rule,
    exposure_schema,
)
from loader.errors import COMPLETE, INCOMPLETE, INTERRUPTED, ApplyFailed, PlanFailed, Refused
from loader.observe import emf, message
from loader.observe.emf import NAMESPACE
from loader.observe.figures import OF_EVERY_RUN, OF_PLAN, OF_REPORT, PREFIX
from loader.observe.run_end import ExportEnd, RunEnd
from loader.plan.result import Plan
from loader.report.json_schema import report_fields, report_schema
from loader.report.reconciliation import reconcile
from loader.report.run_context import RunContext

FOLDER = Path(__file__).parent
COMMAND = "make docs"
LANGUAGES = {".json": "json", ".py": "python", ".sh": "bash", "": "dockerfile"}
NOTE = f"<!-- Generated from the code by `{COMMAND}`: do not edit. -->"


def pages() -> dict[str, str]:
    """The text of each generated file by its path under docs/."""
    return {
        "bundle.schema.json": _json(bundle_schema()),
        "observe.md": _filled(
            "observe.md", ("emf", emf_example()), ("notification", notification_example())
        ),
        "orchestrate.md": _filled("orchestrate.md", *orchestrate()),
        "performance.md": _filled("performance.md", ("sizes", sizes())),
        "read-a-report.md": _filled("read-a-report.md", ("equations", equations())),
        "exposure.schema.json": _json(exposure_schema()),
        "reference/exit-codes.md": exit_codes(),
        "reference/exposure.md": exposure(),
        "reference/metrics.md": metrics(),
        "reference/options.md": options(cli.parser()),
        "reference/report.md": report(),
        "run-on-aws.md": _filled("run-on-aws.md", *_files("run-on-aws.md")),
        "report.schema.json": _json(report_schema()),
        "../deploy/cloudformation/roles.yaml": roles.roles(),
    }


def options(parser: argparse.ArgumentParser) -> str:
    users: dict[tuple[str, ...], list[str]] = {}
    synopses = []
    for name, command in cli.commands(parser).items():
        arguments = [
            f" {action.metavar}" if action.nargs != "?" else f" [{action.metavar}]"
            for action in command._actions
            if not action.option_strings
        ]
        synopses.append((f"`loader {name}{''.join(arguments)}`", str(command.description)))
        for action in command._actions:
            if action.dest != "help":
                users.setdefault(_option(action), []).append(name)
    rows = [(name, ", ".join(names), *rest) for (name, *rest), names in users.items()]
    return _page(
        "Options",
        _table(("Command", "Description"), synopses),
        _table(("Option", "Commands", "Default", "Description"), rows),
    )


def _option(action: argparse.Action) -> tuple[str, ...]:
    """Name, default and description; argparse's help has the default at its end."""
    text = str(action.help).replace("%(default)s", str(action.default)).replace("%%", "%")
    if isinstance(action.default, float):
        text = text.replace("%(default)g", f"{action.default:g}")
    description, _, default = text.partition(" (default: ")
    if not action.option_strings:
        return f"`{action.metavar}`", "required", _sentence(description)
    value = f" {action.metavar}" if action.metavar else ""
    switch = "off" if action.nargs == 0 else "none"
    return f"`{action.option_strings[-1]}{value}`", default[:-1] or switch, _sentence(description)


def exit_codes() -> str:
    rows = [
        (COMPLETE, "complete", "Every item is in the table, or among the rejects that "
         "`--max-rejects` accepts."),
        (INCOMPLETE, "incomplete", "Something was not read or written; the report or the "
         "error shows it. `loader show`: a key is not in the table, or has no planned change. "
         "`loader verify`: the table differs. `loader status`: the last run is not complete or was "
         "refused, something is in doubt, or a file cannot be read."),
        (Refused.exit_code, "refused", "Wrong usage or configuration, a broken guard, an old plan, "
         "or another run; nothing was written."),
        (INTERRUPTED, "interrupted", "Ctrl-C. The message says what was written."),
        (143, "interrupted", "The same after SIGTERM, and 129 after SIGHUP."),
    ]  # fmt: skip
    errors = [
        (
            f"`{error.__name__}`",
            str(error.exit_code),
            str(error.__doc__).split(";")[0].rstrip(".") + ".",
        )
        for error in (Refused, PlanFailed, ApplyFailed)
    ]
    return _page(
        "Exit codes",
        _table(("Code", "Name", "Meaning"), [(str(code), *row) for code, *row in rows]),
        "The exit code of several exports is the highest. The process of a killed load has the "
        "exit code 128 + the number of the signal: 137 after SIGKILL.",
        "## Errors",
        "A run that cannot make a report ends with one of these errors on standard error:",
        _table(("Error", "Exit code", "Meaning"), errors),
        "[Something went wrong](../something-went-wrong.md) has each message.",
    )


def exposure() -> str:
    heads = ("Setting", "Default", "Description", "Message if the rule is broken")
    return _page(
        "Settings of an exposure",
        "[Exports](../exports.md) explains these settings of `config.meta.dynamodb`. "
        "[exposure.schema.json](../exposure.schema.json) has them for editors.",
        _table(heads, _settings(ExposureSettings)),
        "Settings of an attribute under `collect`:",
        _table(heads, _settings(CollectSettings)),
    )


def _settings(model: type[BaseModel]) -> Sequence[Sequence[str]]:
    rows = []
    for name, field in model.model_fields.items():
        setting = field.alias or name
        (rule,) = (entry for entry in field.metadata if isinstance(entry, Rule))
        default = "none"
        if field.is_required():
            default = "required"
        elif field.default_factory:
            default = "see description"
        elif field.default is not None:
            default = f"`{json.dumps(field.default)}`".replace('"', "")
        message = f"`{setting} must {rule.must}, got …: {rule.remedy}`"
        rows.append((f"`{setting}`", default, str(field.description), message))
    return rows


def report() -> str:
    return _page(
        "Fields of report.json",
        "`--json` of `loader load`, `loader apply` and `loader resume` prints it, one line per "
        "export. [report.schema.json](../report.schema.json) is its JSON Schema. If there is "
        "nothing to resume, `loader resume` prints an object with `export`, `run`, `serial` and "
        "`nothing_to_resume`.",
        _table(
            ("Field", "Type", "Meaning"),
            [(f"`{name}`", type_, meaning) for name, type_, meaning in report_fields()],
        ),
    )


def metrics() -> str:
    """The metrics of a run; most have the meaning of a field of report.json."""
    meanings = {name: meaning for name, _, meaning in report_fields()}
    of_report = [
        (f"`{name}`", unit, "a plan or a report" if name in OF_PLAN else "a report", meanings[name])
        for name, unit in OF_REPORT.items()
    ]
    always = [(f"`{n}`", unit, "always", meaning) for n, (unit, meaning) in OF_EVERY_RUN.items()]
    return _page(
        "Metrics",
        f"`--metrics emf` publishes these in the CloudWatch namespace `{NAMESPACE}` with the "
        "dimensions `export`, and `export` and `table`; `--otel` sends the same as gauges "
        f"`{PREFIX}NAME` with these attributes. They have the names of the "
        "[fields of report.json](report.md). [Observe](../observe.md) explains how.",
        _table(("Metric", "Unit", "Known with", "Meaning"), [*always, *of_report]),
        "`exit_code` and `undelivered` are of the command, not of one export. Only `--metrics emf` "
        "has `undelivered`.",
    )


RUN = "2026-11-24T23-53-27-204Z-7f3a"
COUNTS = {"rows": 407_695, "items": 4_314, "unchanged": 4_230, "changed": 84, "changes": 84}
EXAMPLE = ExportEnd(
    "user_items",
    "complete",
    RUN,
    "user_items",
    "stg_retail__transactions",
    f".loader/user_items/runs/{RUN}",
    figures={"seconds": 9.6, **COUNTS, "put": 84, "deleted": 0, "write_units": 107.0},
)
REFUSAL = replace(
    EXAMPLE,
    outcome="refused",
    guarded=True,
    missing=[
        "export user_items must delete at most 10 % of the 4,314 keys of table user_items (431), "
        "got 1,204 (28.0 %): check the model, or let exactly these pass with --allow-deletes 1204"
    ],
    next_step="If the model is right, write exactly these changes with",
    next_command="loader load --export user_items --allow-deletes 1204",
    figures={"seconds": 7.2, **COUNTS, "deletes": 1_204},
)


def emf_example() -> str:
    """The line of metrics of a run; a real one has more of them."""
    (line,) = emf.lines(RunEnd("load", 0, 1_795_564_407.2, 9.6, [EXAMPLE]), 0)
    text = re.sub(r'\{\s+("Name": \S+,)\s+("Unit": \S+)\s+\}', r"{\1 \2}", _json(json.loads(line)))
    return f"```json\n{text}```"


def notification_example() -> str:
    """The body of a refused run; a real one has more figures."""
    end = RunEnd("load", 2, 1_795_564_407.2, 7.2, [REFUSAL], version="0.1.0")
    return f"```json\n{_json(message.message(end))}```"


def orchestrate() -> Iterator[tuple[str, str]]:
    """The very text of the examples."""
    for block, path in (
        ("airflow", "airflow/publish.py"),
        ("airflow-glue", "airflow/publish_on_glue.py"),
        ("airflow-emr", "airflow/publish_on_emr_serverless.py"),
        ("dagster", "dagster/definitions.py"),
    ):
        text = (FOLDER.parent / "deploy" / path).read_text(encoding="utf-8")
        yield block, f"```python\n{text}```"


def equations() -> str:
    """The equations of a run whose warehouse counted."""
    plan = Plan("", "", "", "", [], 1, 1, 0.0, [], "", 0, 0, 0)
    key_in_two = "a key is in two partitions: test the model with `key_in_one_partition`; else "
    rows = [
        (
            f"`{equation.name}`",
            f"{equation.left.what} = {' + '.join(term.what for term in equation.right)}",
            f"{key_in_two if equation.name == 'warehouse keys' else ''}report a bug",
        )
        for equation in reconcile(plan, [], "", RunContext()).equations
    ]
    return _table(("Name", "Equation", "If both sides differ"), rows)


def sizes() -> str:
    """The sizes of a machine, from the last benchmark."""
    results = json.loads((FOLDER.parent / "benchmarks/results/latest.json").read_text())
    names = ("wall", "cpu", "jvm_mb", "worker_mb", "rows", "items")
    cases: dict[str, list[float]] = {}
    for case in ("ours_start", "ours", "grown"):
        runs = [run for run in results["cases"] if run["case"] == case]
        if runs:
            cases[case] = [median(run[name] for run in runs) for name in names]
    rows = [
        (f"{rows:,.0f}", f"{items:,.0f}", f"{wall:.1f} s", f"{cpu:.1f}", f"{jvm:,.0f} MB",
         f"{worker:,.0f} MB")
        for wall, cpu, jvm, worker, rows, items in cases.values()
    ]  # fmt: skip
    (_, few, _, _, rows_few, _), (_, many, _, _, rows_many, _) = cases["ours_start"], cases["ours"]
    heads = ("Rows", "Items", "Time", "CPU seconds", "Peak memory of the JVM", "of a Python worker")
    return "\n\n".join([
        f"Measured on {results['date']} on {results['machine']['cores']} cores, with the defaults "
        "and about 10 rows per item. The first two loads read a view, the third a table:",
        _table(heads, rows),
        f"Each million rows in addition to the first {rows_few:,.0f} takes about "
        f"{(many - few) / (rows_many - rows_few) * 1e6:.1f} CPU seconds.",
    ])  # fmt: skip


def _filled(name: str, *blocks: tuple[str, str]) -> str:
    """The page with the text of each block between its marks."""
    page = (FOLDER / name).read_text(encoding="utf-8")
    for block, text in blocks:
        begin, end = f"<!-- {block}:begin -->", f"<!-- {block}:end -->"
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"
    return page


def _files(name: str) -> Iterator[tuple[str, str]]:
    """The files of deploy/ that the page has marks for, as blocks."""
    for path in re.findall(r"<!-- (deploy/\S+):begin -->", (FOLDER / name).read_text("utf-8")):
        text = (FOLDER.parent / path).read_text(encoding="utf-8").strip()
        yield path, f"```{LANGUAGES[Path(path).suffix]}\n{text}\n```"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _page(title: str, *blocks: str) -> str:
    return "\n\n".join([f"# {title}", NOTE, *blocks]) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in r)} |" for r in lines)


def _sentence(text: str | None) -> str:
    """A help text as a sentence; dbt writes its name in lower case there too."""
    phrase = str(text)
    first = phrase[:1] if phrase.startswith("dbt") else phrase[:1].upper()
    return f"{first}{phrase[1:]}."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare, and exit with 1")
    check = parser.parse_args(arguments).check
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(
            f"generated pages must be up to date, got {', '.join(stale)}: run `{COMMAND}`",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
