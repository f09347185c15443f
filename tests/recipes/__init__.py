"""The recipes of docs/run-on-aws.md, carried out on this machine as near to the services as can be.

Glue and EMR Serverless are a standalone Spark cluster of their version of Spark, EMR is YARN with
it. The executors have the Python and the packages of the service, and what the recipe brings.
"""
