"""Rows → items: pure, without a session or a socket."""
