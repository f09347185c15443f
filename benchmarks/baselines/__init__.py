"""The tools that people use instead of the loader, one script per tool.

Each script prints one line of JSON with `work_seconds`, its time without start-up.
"""
