-- Being told: what is worth telling stands in the commit that made it so; rules turn it into deliveries, one per target.

CREATE TABLE notices (
  id              text NOT NULL PRIMARY KEY,
  kind            text NOT NULL,                 -- process_failed, process_suspended, approval_asked, drift_found, executor_lost, test
  severity        text NOT NULL,                 -- info, warning, error, critical
  process_id      text,
  subscription_id text,
  doc             text NOT NULL,                 -- canonical JSON: what the message is made of
  dedupe          text,                          -- told once: executor:<incarnation>
  routed          bigint NOT NULL DEFAULT 0,    -- 1: the rules were applied
  created_at      bigint NOT NULL
);
CREATE UNIQUE INDEX notices_dedupe ON notices (dedupe) WHERE dedupe IS NOT NULL;
CREATE INDEX notices_new ON notices (id) WHERE routed = 0;
CREATE INDEX notices_created ON notices (created_at, id);

-- One row per message: a single notice, or a digest of several. The id is made from notice and target, so that no two schedulers can
-- make the same delivery twice, and goes with the message: a receiver knows a repeated one by it.
CREATE TABLE deliveries (
  id         text NOT NULL PRIMARY KEY,
  notice_id  text NOT NULL,                      -- of a digest: the oldest one in it
  target     text NOT NULL,
  kind       text NOT NULL,                      -- single, digest
  status     text NOT NULL,                      -- pending, held (for a digest), digested, sent, dead
  attempts   bigint NOT NULL DEFAULT 0,
  next_at    bigint NOT NULL,                   -- pending: not before; also the end of an attempt's claim
  error      text,
  digest_id  text,
  created_at bigint NOT NULL,
  ended_at   bigint
);
CREATE INDEX deliveries_due ON deliveries (next_at, id) WHERE status = 'pending';
CREATE INDEX deliveries_held ON deliveries (target, created_at, id) WHERE status = 'held';
CREATE INDEX deliveries_dead ON deliveries (id) WHERE status = 'dead';
CREATE INDEX deliveries_target ON deliveries (target, created_at);
CREATE INDEX deliveries_created ON deliveries (created_at, id);
CREATE INDEX deliveries_digest ON deliveries (digest_id) WHERE digest_id IS NOT NULL;
