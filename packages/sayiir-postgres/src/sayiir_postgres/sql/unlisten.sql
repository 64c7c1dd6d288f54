UNLISTEN {schema}
