"""The Spark session, its failures, its progress."""
