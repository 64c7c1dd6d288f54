SELECT run FROM instances WHERE owner = ?
