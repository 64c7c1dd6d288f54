UPDATE cursors SET session = ?, claim_no = ?, fence = ? WHERE run = ? AND scope = ? AND idx = ?
