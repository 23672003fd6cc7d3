-- Several daemons on one database: named leases, drained executors, what a dead owner may have left under way.

ALTER TABLE executors ADD COLUMN version text NOT NULL DEFAULT '';
ALTER TABLE executors ADD COLUMN threads bigint NOT NULL DEFAULT 0;

-- One row per duty that only one daemon has at a time (scheduler). The epoch rises with every change of hands and is the fence of what
-- its holder writes. A row is never deleted.
CREATE TABLE leases (
  name       text NOT NULL PRIMARY KEY,
  owner      text NOT NULL,                      -- incarnation of the daemon
  epoch      bigint NOT NULL,
  taken_at   bigint NOT NULL,
  renewed_at bigint NOT NULL,
  expires_at bigint NOT NULL
);

-- Executors that claim nothing new, by name: the mark outlives a restart.
CREATE TABLE executor_drains (
  name       text NOT NULL PRIMARY KEY,
  drained_by text NOT NULL,
  reason     text,
  drained_at bigint NOT NULL
);

-- A named lock (an element) whose holder died holding it: until `at`, by the database's clock, the dead one may still have been acting,
-- and its last command for its own deadline longer.
CREATE TABLE lock_takeovers (
  name       text NOT NULL PRIMARY KEY,
  process_id text NOT NULL,                      -- that held it
  epoch      bigint NOT NULL,
  at         bigint NOT NULL
);
