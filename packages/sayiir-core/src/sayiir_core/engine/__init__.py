"""The sans-IO engine: the one interpreter that every driver uses."""
