"""What a run did: totals, terminal lines, the page."""
