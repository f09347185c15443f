"""The report of a run: totals, terminal lines, the page."""
