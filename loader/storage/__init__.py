"""Files of a run, in a local folder or under s3://."""
