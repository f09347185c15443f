"""The report as one page for a person: report.json's document in, HTML out.

The page needs nothing else: no script, no font, no picture. It begins with what is missing and
the command that goes on, since that is read at night. Everything of users is escaped.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from loader.printable import plain_key
from loader.report import page_charts as report_charts
from loader.report.markup import Markup, count, fill, join, note, seconds, section, table
from loader.report.style import STYLE
from loader.report.unsent import by_cause

Document = Mapping[str, Any]
EXAMPLES = 20
NOT_SET = "not set"
BILLING = {"PAY_PER_REQUEST": "on demand", "PROVISIONED": "provisioned"}

# The page may not run or load anything, even if something of a user got through unescaped.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>{}: {} {}</title>
<style>{}</style>
</head>
<body>
<main>
{}
</main>
</body>
</html>
"""  # noqa: E501


def page(report: Document) -> str:
    """The whole page."""
    parts = [
        _verdict(report),
        _account(report),
        report_charts.phases(report),
        report_charts.over_time(report),
        report_charts.partitions(report),
        report_charts.slowest(report),
        _requests(report),
        _rejects(report),
        _not_sent(report),
        _plan_facts(report),
        _settings(report),
    ]
    state = "complete" if report["complete"] else "INCOMPLETE"
    style = Markup(STYLE)
    return fill(PAGE, report["export"], state, report["run"], style, Markup("\n".join(parts)))


# Verdict


def _verdict(report: Document) -> Markup:
    complete = report["complete"]
    place = ", ".join(filter(None, (report["region"], BILLING.get(report["billing_mode"] or ""))))
    return fill(
        '<header class="verdict {}"><p class="from">{} → DynamoDB table {}{}</p>'
        '<h1><span class="mark" aria-hidden="true">{}</span> {} {}</h1>{}'
        '<p class="when">run <code>{}</code> · apply began {} · {} in all</p></header>',
        "good" if complete else "bad",
        report["model"],
        report["table"],
        f" ({place})" if place else "",
        "✓" if complete else "✗",
        report["export"],
        "is complete" if complete else "is INCOMPLETE",
        _all_is_well(report) if complete else _what_to_do(report),
        report["run"],
        report["apply_began"].replace("T", " ").replace("+00:00", " UTC"),
        seconds(report["seconds"]),
    )


def _all_is_well(report: Document) -> Markup:
    counted = (report["warehouse_rows_before"], report["warehouse_rows_after"])
    agree = " The warehouse counted as many rows itself." if None not in counted else ""
    return fill(
        '<p class="lead">{:,} rows became {:,} items, and DynamoDB acknowledged every one of them. '
        "Nothing was rejected, and all sums hold.{}</p>",
        report["rows_read"], report["put"], agree,
    )  # fmt: skip


def _what_to_do(report: Document) -> Markup:
    missing = join(fill("<li>{}</li>", phrase) for phrase in report["missing"])
    causes = join(fill("<li>{}</li>", cause) for cause in _causes(report))
    return fill(
        '<dl class="todo"><dt>What is missing</dt><dd><ul>{}</ul></dd>'
        "<dt>Why</dt><dd><ul>{}</ul></dd>"
        "<dt>Where it is listed</dt><dd><code>{}</code></dd>"
        "<dt>{}</dt><dd><pre>{}</pre></dd></dl>",
        missing, causes, report["listed_in"], report["next_step"], report["next_command"],
    )  # fmt: skip


def _causes(report: Document) -> list[Markup]:
    """The first reasons of each kind, with how many there are."""
    causes = [
        fill("{}", f"{one.changes:,} items of {one.place} were not sent: {one.cause}")
        for one in by_cause(report["partitions_not_sent"])
    ]
    shown = causes[:3]
    if len(causes) > 3:
        shown.append(fill('<a href="#not-sent">and of {:,} more</a>', len(causes) - 3))
    rejects = report["rejects"]
    shown += [fill("{}: {}", _rejected(reject), reject["reason"]) for reject in rejects[:3]]
    if len(rejects) > 3:
        shown.append(fill('<a href="#rejected">and more rejects</a>'))
    return shown + [fill("{}", sum_) for sum_ in report["mismatch"]]


def _rejected(reject: Mapping[str, Any]) -> str:
    return f"item {plain_key(reject['key'])}" if reject["key"] else f"{reject['rows']:,} rows"


# The account


def _account(report: Document) -> Markup:
    sums = join(map(_sum, report["equations"]))
    asked = report["warehouse_rows_before"] is not None or report["warehouse_keys"] is not None
    said = "" if asked else note("The warehouse was not asked for counts of its own.")
    if report["source_changed"]:
        said = fill(
            '<p class="warning">The source moved during the read: the warehouse counted {} rows '
            "before and {} after. Some items may be older than others, and the counts are held "
            "against nothing. Staging as a table shows all queries one moment.</p>",
            f"{report['warehouse_rows_before']:,}",
            f"{report['warehouse_rows_after']:,}",
        )
    return section("The account", '<ul class="sums">' + sums + "</ul>" + said)


def _sum(one: Mapping[str, Any]) -> Markup:
    total = sum(term["count"] for term in one["right"])
    if one["holds"]:
        state = fill('<span class="state good">✓ holds</span>')
    else:
        off = abs(one["left"]["count"] - total)
        state = fill('<span class="state bad">✗ does not hold: {:,} off</span>', off)
    return fill(
        '<li class="{}">{} {} {}</li>',
        "holds" if one["holds"] else "broken",
        _term(one["left"]),
        join(_pair("+" if number else "=", term) for number, term in enumerate(one["right"])),
        state,
    )


def _pair(sign: str, term: Mapping[str, Any]) -> Markup:
    return fill('<span class="pair"><span class="sign">{}</span> {}</span> ', sign, _term(term))


def _term(term: Mapping[str, Any]) -> Markup:
    return fill(
        '<span class="term"><b>{:,}</b> <small>{}</small></span>', term["count"], term["what"]
    )


def _requests(report: Document) -> Markup:
    requests = report["requests"]

    def share(name: str) -> str:
        part = report[name] / requests if requests else 0.0
        return f"{part:.1%} of the requests"

    rows = [
        [
            "Requests",
            count(requests),
            f"{report['put'] / requests:.1f} items each" if requests else "",
        ],
        ["Retries", count(report["retries"]), share("retries")],
        ["Throttled", count(report["throttled"]), share("throttled")],
        ["Write units", count(report["write_units"]), "as DynamoDB reported them"],
    ]
    return section("Retries and throttles", table(["What", "Number", "Note"], rows, numbers=(1,)))


# Rejects, settings


def _rejects(report: Document) -> Markup:
    rejects = report["rejects"]
    items, rows = report["rejected"], report["rows_rejected"]
    if not items and not rows:
        return section("Rejected", fill("<p>Nothing.</p>"), "rejected")
    shown = [
        [
            fill("<code>{}</code>", plain_key(reject["key"])) if reject["key"] else "no key",
            count(reject["rows"]) if reject["rows"] else "",
            reject["reason"],
        ]
        for reject in rejects[:EXAMPLES]
    ]
    more = len(rejects) - len(shown)
    return section(
        "Rejected",
        fill("<p>{:,} items and {:,} rows without a key.</p>", items, rows)
        + table(["Key", "Rows", "Reason"], shown, numbers=(1,))
        + (fill("<p>More are in <code>{}</code>.</p>", report["listed_in"]) if more > 0 else ""),
        "rejected",
    )


def _not_sent(report: Document) -> Markup:
    causes = by_cause(report["partitions_not_sent"])
    if not causes:
        return section("Not sent", fill("<p>Nothing.</p>"), "not-sent")
    rows = [
        [count(one.changes), ", ".join(map(str, sorted(one.partitions))), one.cause]
        for one in causes
    ]
    content = table(["Items", "Partitions", "Cause"], rows, numbers=(0,))
    return section("Not sent", content, "not-sent")


def _plan_facts(report: Document) -> Markup:
    facts = report["plan_facts"]
    parts = [
        fill("<h3>{}</h3>{}", name.replace("_", " ").capitalize(), _value(value))
        for name, value in facts.items()
    ]
    return section("What the plan found out", join(parts)) if parts else Markup()


def _value(value: Any) -> Markup:
    """Any JSON value as a person reads it."""
    if isinstance(value, Mapping):
        rows = [[name.replace("_", " "), _value(one)] for name, one in value.items()]
        return table(["What", "Value"], rows, numbers=())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return fill("<ul>{}</ul>", join(fill("<li>{}</li>", _value(one)) for one in value))
    if isinstance(value, bool) or value is None:
        return fill("{}", {True: "yes", False: "no", None: "not known"}[value])
    return fill("{:,}", value) if isinstance(value, (int, float)) else fill("{}", value)


def _settings(report: Document) -> Markup:
    settings = dict(report["settings"])
    spark = settings.pop("spark", {})
    rows = [
        [fill("<code>{}</code>", name), NOT_SET if value is None else str(value)]
        for name, value in (*settings.items(), *spark.items())
    ]
    versions = [[name, version] for name, version in report["versions"].items()]
    return section(
        "Settings",
        note("What looks secret is masked.")
        + table(["Setting", "Value"], rows, numbers=())
        + "<h3>Versions</h3>"
        + table(["Of", "Version"], versions, numbers=()),
    )
