DELETE FROM steps WHERE step >= ?1 << 28 AND step < (?1 + 1) << 28
