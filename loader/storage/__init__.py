"""Where the files of a run live: a local folder or s3://."""
