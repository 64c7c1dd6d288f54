DELETE FROM steps WHERE step >= ? AND step < ?
