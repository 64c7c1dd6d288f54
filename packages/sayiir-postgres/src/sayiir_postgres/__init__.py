"""The PostgreSQL backend of Sayiir, on psycopg 3."""
