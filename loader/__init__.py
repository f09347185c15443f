"""Publish dbt models as DynamoDB tables: check → plan → apply → report."""
