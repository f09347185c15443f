"""A proxy that enforces DynamoDB's capacity, in front of an emulator or the benchmarks' sink.

    client  →  proxy  →  emulator

Emulators do not throttle. The proxy admits and refuses requests as DynamoDB documents it, charges
them by its own rules of sizes and units, and answers DescribeTable with the limits that it has.

    process.running(upstream_port)    start it; its handle sets limits and reads the log
    measure                           figures of a log: used and throttled shares
    traffic.running(...)              live traffic, which writes single items at a given rate
"""
