-- Several daemons on one database: named leases, drained executors, what a dead owner may have left under way.

ALTER TABLE executors ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE executors ADD COLUMN threads INTEGER NOT NULL DEFAULT 0;

-- One row per duty that only one daemon has at a time (scheduler). The epoch rises with every change of hands and is the fence of what
-- its holder writes. A row is never deleted.
CREATE TABLE leases (
  name       TEXT NOT NULL PRIMARY KEY,
  owner      TEXT NOT NULL,                      -- incarnation of the daemon
  epoch      INTEGER NOT NULL,
  taken_at   INTEGER NOT NULL,
  renewed_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

-- Executors that claim nothing new, by name: the mark outlives a restart.
CREATE TABLE executor_drains (
  name       TEXT NOT NULL PRIMARY KEY,
  drained_by TEXT NOT NULL,
  reason     TEXT,
  drained_at INTEGER NOT NULL
) STRICT;

-- A named lock (an element) whose holder died holding it: until `at`, by the database's clock, the dead one may still have been acting,
-- and its last command for its own deadline longer.
CREATE TABLE lock_takeovers (
  name       TEXT NOT NULL PRIMARY KEY,
  process_id TEXT NOT NULL,                      -- that held it
  epoch      INTEGER NOT NULL,
  at         INTEGER NOT NULL
) STRICT;
