SELECT payload FROM inputs WHERE run = ? AND length(payload) <= ?
