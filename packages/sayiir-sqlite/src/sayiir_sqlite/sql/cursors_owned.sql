UPDATE cursors SET owned = ? WHERE run = ?
