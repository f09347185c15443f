"""The dbt project: its exports, its tests, its profile. The only place that imports dbt."""
