"""Plan: Spark job 1 reads the warehouse and writes a changeset; it writes no item."""
