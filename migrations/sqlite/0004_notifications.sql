-- Being told: what is worth telling stands in the commit that made it so; rules turn it into deliveries, one per target.

CREATE TABLE notices (
  id              TEXT NOT NULL PRIMARY KEY,
  kind            TEXT NOT NULL,                 -- process_failed, process_suspended, approval_asked, drift_found, executor_lost, test
  severity        TEXT NOT NULL,                 -- info, warning, error, critical
  process_id      TEXT,
  subscription_id TEXT,
  doc             TEXT NOT NULL,                 -- canonical JSON: what the message is made of
  dedupe          TEXT,                          -- told once: executor:<incarnation>
  routed          INTEGER NOT NULL DEFAULT 0,    -- 1: the rules were applied
  created_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX notices_dedupe ON notices (dedupe) WHERE dedupe IS NOT NULL;
CREATE INDEX notices_new ON notices (id) WHERE routed = 0;
CREATE INDEX notices_created ON notices (created_at, id);

-- One row per message: a single notice, or a digest of several. The id is made from notice and target, so that no two schedulers can
-- make the same delivery twice, and goes with the message: a receiver knows a repeated one by it.
CREATE TABLE deliveries (
  id         TEXT NOT NULL PRIMARY KEY,
  notice_id  TEXT NOT NULL,                      -- of a digest: the oldest one in it
  target     TEXT NOT NULL,
  kind       TEXT NOT NULL,                      -- single, digest
  status     TEXT NOT NULL,                      -- pending, held (for a digest), digested, sent, dead
  attempts   INTEGER NOT NULL DEFAULT 0,
  next_at    INTEGER NOT NULL,                   -- pending: not before; also the end of an attempt's claim
  error      TEXT,
  digest_id  TEXT,
  created_at INTEGER NOT NULL,
  ended_at   INTEGER
) STRICT;
CREATE INDEX deliveries_due ON deliveries (next_at, id) WHERE status = 'pending';
CREATE INDEX deliveries_held ON deliveries (target, created_at, id) WHERE status = 'held';
CREATE INDEX deliveries_dead ON deliveries (id) WHERE status = 'dead';
CREATE INDEX deliveries_target ON deliveries (target, created_at);
CREATE INDEX deliveries_created ON deliveries (created_at, id);
CREATE INDEX deliveries_digest ON deliveries (digest_id) WHERE digest_id IS NOT NULL;
