"""Publishes dbt models as DynamoDB tables: plan → check → apply → commit."""
