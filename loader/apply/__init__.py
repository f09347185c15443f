"""Apply: Spark job 2 sends a changeset to DynamoDB; it never touches the warehouse."""
