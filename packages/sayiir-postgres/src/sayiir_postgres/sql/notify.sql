NOTIFY {schema}, %(payload)s
