"""The SQLite backend of Sayiir, on the standard library's sqlite3."""
