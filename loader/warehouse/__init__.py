"""Redshift, PostgreSQL and the databases of `--jdbc`, by JDBC. The only place with SQL."""
