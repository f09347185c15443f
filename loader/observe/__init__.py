"""What a run sends when it ends: metrics, a trace, a notification."""
