"""What stands between the command line and a running host: options, tables, completion, checks."""
