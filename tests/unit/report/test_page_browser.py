"""The pages in headless Chromium, where there is one."""

import html
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from loader.plan.partition_result import Reject
from loader.report import past_runs
from loader.report.history import history_page
from loader.report.page import page
from loader.report.past_runs import PastRun
from loader.report.reconciliation import reconcile
from loader.report.totals import Report
from loader.storage.slice_outcome import NotSent, SliceOutcome
from tests.support.example_plan import KEYLESS, partition, planned
from tests.support.example_report import COMPLETE, CONTEXT, RUN

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DARK, LIGHT = 0, 1  # values of Chromium's setting preferredColorScheme
WIDTHS = (390, 1100)
FRAME = '<iframe srcdoc="{page}" style="border:0;width:{width}px"></iframe>'
# The page's own policy forbids scripts, so the check runs in a page around it. It measures the
# pages in frames of a given width: how far they stick out, their background, and the text whose
# contrast is below 4.5 : 1 (https://www.w3.org/WAI/WCAG22/Understanding/contrast-minimum.html).
CHECK = """<!doctype html><body>%s
<script>
const numbers = color => color.match(/[\\d.]+/g).map(Number);
const light = color => {
  const [r, g, b] = numbers(color).map(c => c / 255)
    .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const measure = page => {
  const view = page.defaultView;
  const back = element => {
    const color = view.getComputedStyle(element).backgroundColor;
    return numbers(color)[3] === 0 && element.parentElement ? back(element.parentElement) : color;
  };
  const low = [...page.querySelectorAll("main *")].filter(element => {
    const text = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!text || element.tagName === "title") return false;
    const style = view.getComputedStyle(element), svg = element.closest("svg");
    const pair = [light(svg ? style.fill : style.color), light(back(element))];
    return (Math.max(...pair) + .05) / (Math.min(...pair) + .05) < 4.5;
  });
  return {
    title: page.title,
    width: page.documentElement.clientWidth,
    overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    background: view.getComputedStyle(page.body).backgroundColor,
    low_contrast: low.map(element => element.outerHTML.slice(0, 120)),
  };
};
window.onload = () => {
  const pages = [...document.querySelectorAll("iframe")].map(frame => frame.contentDocument);
  document.body.dataset.result = JSON.stringify(pages.map(measure));
};
</script>
"""


def incomplete() -> Report:
    long = "x" * 300
    plan = planned(partition(0, 10, rejected=1), partition(5, 20), KEYLESS)
    plan.partition_results[0].rejects = [Reject(long, 3, f'"user_id":{{"S":"{long}"}}')]
    outcome = SliceOutcome(
        0, 21, 3, 1, 1, 12.5, 1, [('"user_id":{"S":"x"}', "refused")], [NotSent(5, 7, long)],
        by_second={1_767_323_052: (12, 12.5, 1), 1_767_323_062: (9, 9.0, 0)},
    )  # fmt: skip
    context = replace(CONTEXT, settings={long: long, "spark": {}})
    return reconcile(plan, [outcome], f"s3://bucket/{long}", context)


def pages() -> dict[str, str]:
    """Pages by their titles."""
    runs = [
        PastRun(RUN, outcome, {"deleted": 1, "unchanged": 0, **report.to_dict()}, True, "x " * 200)
        for outcome, report in (
            (past_runs.INCOMPLETE, incomplete()),
            (past_runs.COMPLETE, COMPLETE),
        )
    ]
    runs.append(PastRun("x" * 300, past_runs.UNENDED, note="x" * 300))
    return {
        f"user_items: complete {RUN}": report_page(COMPLETE),
        f"user_items: INCOMPLETE {RUN}": report_page(incomplete()),
        "user_items: last runs": history_page("user_items", runs),
        f"{'y' * 300}: last runs": history_page("y" * 300, []),
    }


def report_page(report: Report) -> str:
    return page(json.loads(json.dumps(report.to_dict())))


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
@pytest.mark.parametrize(
    ("scheme", "background"), [(LIGHT, "rgb(246, 246, 243)"), (DARK, "rgb(20, 23, 26)")]
)
def test_a_page_fits_a_phone_and_a_screen_can_be_read_and_logs_no_error(
    scheme: int, background: str, tmp_path: Path
) -> None:
    frames = [(title, page, width) for title, page in pages().items() for width in WIDTHS]
    file = tmp_path / "check.html"
    iframes = (FRAME.format(page=html.escape(page), width=width) for _, page, width in frames)
    file.write_text(CHECK % "".join(iframes))

    result = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr",
            f"--blink-settings=preferredColorScheme={scheme}",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    _, _, rest = result.stdout.partition('data-result="')
    assert [line for line in result.stderr.splitlines() if "CONSOLE" in line] == []
    assert json.loads(html.unescape(rest.partition('"')[0])) == [
        {
            "title": title,
            "width": width,
            "overflow": 0,
            "background": background,
            "low_contrast": [],
        }
        for title, _, width in frames
    ]
