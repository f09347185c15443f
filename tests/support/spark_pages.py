"""The pages of Spark's web UI, and the answers of its REST API, while it starts, runs and stops."""

from __future__ import annotations

import http.client
import json
import urllib.request

PAGES = ("jobs", "stages", "storage", "environment", "executors", "SQL")
STARTING = "Spark is starting up"
HTML, JSON = "text/html", "application/json"


def spark_pages(ui: str) -> dict[str, str]:
    """The text of each page that the UI at this URL has at the moment."""
    texts = {name: answer(f"{ui}/{name}/") for name in PAGES}
    texts |= {f"SQL {n}": answer(f"{ui}/SQL/execution/?id={n}") for n in range(3)}
    texts |= {f"job {n}": answer(f"{ui}/jobs/job/?id={n}") for n in range(2)}
    for application in json.loads(answer(f"{ui}/api/v1/applications", JSON) or "[]"):
        api = f"{ui}/api/v1/applications/{application['id']}"
        texts["api environment"] = answer(f"{api}/environment", JSON)
        texts["api SQL"] = answer(f"{api}/sql?details=true&planDescription=true", JSON)
    return {name: text for name, text in texts.items() if text}


def answer(url: str, kind: str = HTML) -> str:
    """The text of the answer; empty if there is none of this kind from this URL.

    The UI attaches its pages one after the other. First is `/`, which redirects all that is not
    there yet to `/jobs/`: the API and the SQL pages come later.
    """
    try:
        with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310  our own Spark UI
            text = str(page.read().decode())
            is_it = page.url == url and page.headers.get_content_type() == kind
    except (OSError, http.client.HTTPException):
        return ""  # not there yet, or no longer, also in the middle of an answer
    return text if is_it and not text.startswith(STARTING) else ""
