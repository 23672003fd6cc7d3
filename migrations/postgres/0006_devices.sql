-- Devices: plans, what is ours on an element, modes, stops, cache and evidence.

ALTER TABLE processes ADD COLUMN dry_run bigint NOT NULL DEFAULT 0;   -- 1: plans only, leaves nothing behind

-- A plan is stored once, whatever process made it; its hash covers the header and every operation.
CREATE TABLE plans (
  hash       text NOT NULL PRIMARY KEY,
  doc        text COMPRESSION lz4 NOT NULL,                      -- header: {"elements": {id: {...}}, ...}
  operations bigint NOT NULL,
  bytes      bigint NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX plans_created ON plans (created_at);
CREATE TABLE plan_operations (
  hash text NOT NULL,
  n    bigint NOT NULL,
  doc  text COMPRESSION lz4 NOT NULL,
  PRIMARY KEY (hash, n)
);

-- The plans of a process: n 1 the first one, then what was planned again. Operation i of plan n is sub-step begin_at + i.
CREATE TABLE process_plans (
  process_id text NOT NULL,
  n          bigint NOT NULL,
  hash       text NOT NULL,
  begin_at   bigint NOT NULL,
  status     text NOT NULL,                      -- planned, refused (needs an approval of its own)
  created_at bigint NOT NULL,
  PRIMARY KEY (process_id, n)
);
CREATE INDEX process_plans_hash ON process_plans (hash);

CREATE TABLE plan_approvals (
  process_id text NOT NULL,
  hash       text NOT NULL,
  actor      text NOT NULL,
  comment    text,
  at         bigint NOT NULL,
  PRIMARY KEY (process_id, hash)
);

-- What a process has done: one row per operation, written with its sub-step.
CREATE TABLE applied_operations (
  process_id text NOT NULL,
  step_key   text NOT NULL,
  op_id      text NOT NULL,
  element_id text NOT NULL,
  changed    bigint NOT NULL,
  report     text COMPRESSION lz4 NOT NULL,
  at         bigint NOT NULL,
  PRIMARY KEY (process_id, step_key)
);

-- Objects that are ours, by the intent that wants them: planned before they are touched, held once they were verified.
CREATE TABLE device_objects (
  element_id      text NOT NULL,
  intent_id       text NOT NULL,
  subscription_id text NOT NULL,
  doc             text COMPRESSION lz4 NOT NULL,                 -- the intent
  state           text NOT NULL,                 -- planned, held
  process_id      text NOT NULL,
  at              bigint NOT NULL,
  PRIMARY KEY (element_id, intent_id, subscription_id)
);
CREATE INDEX device_objects_subscription ON device_objects (subscription_id);

CREATE TABLE devices (
  element_id text NOT NULL PRIMARY KEY,          -- subscription of the Optical Device
  name       text NOT NULL,
  site       text,                               -- subscription of its PoP
  site_name  text,
  driver     text,
  mode       text,                               -- observe, manage; null: the configured default
  mode_by    text,
  mode_at    bigint,
  drifted_at bigint,
  drift      text,                               -- why it is called drifted
  seen_at    bigint
);
CREATE INDEX devices_name ON devices (name);

CREATE TABLE device_cache (
  element_id text NOT NULL,
  kind       text NOT NULL,                      -- identity, inventory, ports, neighbours, spectrum, alarms
  doc        text COMPRESSION lz4 NOT NULL,
  as_of      bigint NOT NULL,
  process_id text NOT NULL,
  PRIMARY KEY (element_id, kind)
);

CREATE TABLE emergency_stops (
  scope  text NOT NULL,                          -- everything, site, element
  target text NOT NULL,                          -- '' for everything
  reason text NOT NULL,
  actor  text NOT NULL,
  at     bigint NOT NULL,
  PRIMARY KEY (scope, target)
);

CREATE TABLE evidence (
  process_id text NOT NULL,
  step_key   text NOT NULL,
  attempt    bigint NOT NULL,
  n          bigint NOT NULL,
  element_id text NOT NULL,
  protocol   text NOT NULL,
  sent       text COMPRESSION lz4 NOT NULL,
  received   text COMPRESSION lz4,
  outcome    text NOT NULL,
  writes     bigint NOT NULL,
  at         bigint NOT NULL,
  took_us    bigint NOT NULL,
  PRIMARY KEY (process_id, step_key, attempt, n)
);
CREATE INDEX evidence_at ON evidence (at);

-- Who waits for which named lock, so that a release wakes the next one at once.
CREATE TABLE named_waits (
  name       text NOT NULL,
  process_id text NOT NULL,
  since      bigint NOT NULL,
  PRIMARY KEY (name, process_id)
);
CREATE INDEX named_waits_process ON named_waits (process_id);
