"""How fast tasks write: units of capacity, given out to all of them by the driver."""
