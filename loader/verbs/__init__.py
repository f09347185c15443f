"""The commands of the loader: options in, exit code out."""
