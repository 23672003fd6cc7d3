-- Devices: plans, what is ours on an element, modes, stops, cache and evidence.

ALTER TABLE processes ADD COLUMN dry_run INTEGER NOT NULL DEFAULT 0;   -- 1: plans only, leaves nothing behind

-- A plan is stored once, whatever process made it; its hash covers the header and every operation.
CREATE TABLE plans (
  hash       TEXT NOT NULL PRIMARY KEY,
  doc        TEXT NOT NULL,                      -- header: {"elements": {id: {...}}, ...}
  operations INTEGER NOT NULL,
  bytes      INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX plans_created ON plans (created_at);
CREATE TABLE plan_operations (
  hash TEXT NOT NULL,
  n    INTEGER NOT NULL,
  doc  TEXT NOT NULL,
  PRIMARY KEY (hash, n)
) STRICT;

-- The plans of a process: n 1 the first one, then what was planned again. Operation i of plan n is sub-step begin_at + i.
CREATE TABLE process_plans (
  process_id TEXT NOT NULL,
  n          INTEGER NOT NULL,
  hash       TEXT NOT NULL,
  begin_at   INTEGER NOT NULL,
  status     TEXT NOT NULL,                      -- planned, refused (needs an approval of its own)
  created_at INTEGER NOT NULL,
  PRIMARY KEY (process_id, n)
) STRICT;
CREATE INDEX process_plans_hash ON process_plans (hash);

CREATE TABLE plan_approvals (
  process_id TEXT NOT NULL,
  hash       TEXT NOT NULL,
  actor      TEXT NOT NULL,
  comment    TEXT,
  at         INTEGER NOT NULL,
  PRIMARY KEY (process_id, hash)
) STRICT;

-- What a process has done: one row per operation, written with its sub-step.
CREATE TABLE applied_operations (
  process_id TEXT NOT NULL,
  step_key   TEXT NOT NULL,
  op_id      TEXT NOT NULL,
  element_id TEXT NOT NULL,
  changed    INTEGER NOT NULL,
  report     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (process_id, step_key)
) STRICT;

-- Objects that are ours, by the intent that wants them: planned before they are touched, held once they were verified.
CREATE TABLE device_objects (
  element_id      TEXT NOT NULL,
  intent_id       TEXT NOT NULL,
  subscription_id TEXT NOT NULL,
  doc             TEXT NOT NULL,                 -- the intent
  state           TEXT NOT NULL,                 -- planned, held
  process_id      TEXT NOT NULL,
  at              INTEGER NOT NULL,
  PRIMARY KEY (element_id, intent_id, subscription_id)
) STRICT;
CREATE INDEX device_objects_subscription ON device_objects (subscription_id);

CREATE TABLE devices (
  element_id TEXT NOT NULL PRIMARY KEY,          -- subscription of the Optical Device
  name       TEXT NOT NULL,
  site       TEXT,                               -- subscription of its PoP
  site_name  TEXT,
  driver     TEXT,
  mode       TEXT,                               -- observe, manage; null: the configured default
  mode_by    TEXT,
  mode_at    INTEGER,
  drifted_at INTEGER,
  drift      TEXT,                               -- why it is called drifted
  seen_at    INTEGER
) STRICT;
CREATE INDEX devices_name ON devices (name);

CREATE TABLE device_cache (
  element_id TEXT NOT NULL,
  kind       TEXT NOT NULL,                      -- identity, inventory, ports, neighbours, spectrum, alarms
  doc        TEXT NOT NULL,
  as_of      INTEGER NOT NULL,
  process_id TEXT NOT NULL,
  PRIMARY KEY (element_id, kind)
) STRICT;

CREATE TABLE emergency_stops (
  scope  TEXT NOT NULL,                          -- everything, site, element
  target TEXT NOT NULL,                          -- '' for everything
  reason TEXT NOT NULL,
  actor  TEXT NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (scope, target)
) STRICT;

CREATE TABLE evidence (
  process_id TEXT NOT NULL,
  step_key   TEXT NOT NULL,
  attempt    INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  element_id TEXT NOT NULL,
  protocol   TEXT NOT NULL,
  sent       TEXT NOT NULL,
  received   TEXT,
  outcome    TEXT NOT NULL,
  writes     INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  took_us    INTEGER NOT NULL,
  PRIMARY KEY (process_id, step_key, attempt, n)
) STRICT;
CREATE INDEX evidence_at ON evidence (at);

-- Who waits for which named lock, so that a release wakes the next one at once.
CREATE TABLE named_waits (
  name       TEXT NOT NULL,
  process_id TEXT NOT NULL,
  since      INTEGER NOT NULL,
  PRIMARY KEY (name, process_id)
) STRICT;
CREATE INDEX named_waits_process ON named_waits (process_id);
