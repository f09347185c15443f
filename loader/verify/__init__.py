"""The comparison of a table with its model, or with its state."""
