"""Redshift and PostgreSQL by JDBC. The only place with SQL."""
