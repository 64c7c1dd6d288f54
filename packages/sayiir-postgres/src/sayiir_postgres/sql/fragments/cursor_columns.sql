c.run::text, c.scope, c.idx, c.definition, c.owner, c.session, c.claim_no, c.fence, c.held,
c.state, c.pending, c.tags, c.priority, c.signal, c.delivered, c.seq, c.node, c.turns, c.input,
c.available_at, c.attempt, c.fresh_from, c.deaths, c.avoid,
c.avoid_until, c.started_at
