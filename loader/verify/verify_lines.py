"""The result of a verification as lines on a terminal."""

from loader.dynamodb.read_rate import limit_text
from loader.printable import printable, short_key
from loader.verify.verify_report import Example, Sample, VerifyReport

SHOWN = 5  # keys of each kind, and attributes of a key


def verify_lines(report: VerifyReport) -> list[str]:
    """The counts, some keys of each kind, and the commands that lead to an equal table."""
    counts = f"{report.missing:,} missing, {report.extra:,} extra, {report.different:,} different"
    if report.clean:
        head = "EQUAL" if report.sample is None else "EQUAL as far as it was read"
    else:
        head = f"DIFFERENT: {counts}"
    name = "model" if report.against == "model" else "state"
    lines = [
        f"{report.export}   {head}   {report.seconds:.1f} s",
        f"  {name:<9}  {report.expected:,} items of {report.expected_of}",
        f"  table      {report.read:,} items of {report.table}, {_units(report)}",
        _compared_line(report, counts),
        *_sample_lines(report.sample),
        *_ignored_lines(report),
        *_example_lines("missing", report.missing, report.missing_examples),
        *_example_lines("extra", report.extra, report.extra_examples),
        *_example_lines("different", report.different, report.different_examples),
        *(f"  note       {note}" for note in report.notes),
    ]
    if report.loaded_meanwhile:
        lines.append("  note       a run of this export was writing meanwhile: verify again")
    return lines if report.clean else [*lines, *report.next_commands]


def _units(report: VerifyReport) -> str:
    limit = limit_text(report.read_limit, report.read_limit_source)
    return f"{report.read_units:,.0f} read units, {limit}"


def _compared_line(report: VerifyReport, counts: str) -> str:
    sums = " + ".join([f"{report.equal:,} equal", *counts.split(", ")])
    doubt = f" + {report.in_doubt:,} in doubt" if report.in_doubt else ""
    settled = f"; {report.settled:,} of the equal ones when read again" if report.settled else ""
    return f"  compared   {sums}{doubt}{settled}"


def _sample_lines(sample: Sample | None) -> list[str]:
    if sample is None:
        return []
    segments = f"{sample.segments:,} of {sample.all_segments:,} segments"
    return [
        f"  sample     {sample.keys:,} keys ({_percent(sample.share)}), and "
        f"{sample.scanned_items:,} items in {segments}",
        f"  95 % sure  at most {_percent(sample.most_wrong)} of the keys are missing or different, "
        f"at most {_percent(sample.most_extra)} of the items are extra",
    ]


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %"


def _ignored_lines(report: VerifyReport) -> list[str]:
    parts = []
    if report.rejected_items:
        parts.append(
            f"{report.rejected_items:,} items that the plan rejects "
            f"({report.rejected:,} of them are in the table)"
        )
    if report.keyless_rows:
        parts.append(f"{report.keyless_rows:,} rows without a key")
    if report.in_doubt:
        parts.append(f"{report.in_doubt:,} keys in doubt")
    return [f"  ignored    {'; '.join(parts)}"] if parts else []


def _example_lines(kind: str, count: int, examples: list[Example]) -> list[str]:
    """The first keys of a kind; of a different item its attributes with both values."""
    lines = []
    for number, example in enumerate(examples[:SHOWN]):
        label = f"{kind:<9}" if number == 0 else " " * 9
        lines.append(f"  {label}  {short_key(example.key)}")
        for attribute in example.attributes[:SHOWN]:
            values = (attribute.table, attribute.model)
            table, model = (printable(value or "no such attribute") for value in values)
            lines.append(f"               {printable(attribute.name)}: table {table}")
            indent = " " * (15 + len(printable(attribute.name)))
            lines.append(f"{indent}  model {model}")
        if len(example.attributes) > SHOWN:
            lines.append(f"               and {len(example.attributes) - SHOWN:,} more attributes")
    if count > SHOWN and examples:
        lines.append(f"             and {count - len(examples[:SHOWN]):,} more")
    return lines
