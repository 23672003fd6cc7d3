-- Lightpath schema 1. Times are UTC microseconds, ids 36-character UUID texts, documents canonical JSON texts.

-- One row per running program with the executor role. expires_at is moved by the heartbeat; embedded mode writes none and uses the far
-- future: the next daemon that opens the file retires the former incarnation.
CREATE TABLE executors (
  incarnation text NOT NULL PRIMARY KEY,
  name        text NOT NULL,
  host        text NOT NULL,
  labels      text NOT NULL DEFAULT '[]',
  started_at  bigint NOT NULL,
  renewed_at  bigint NOT NULL,
  expires_at  bigint NOT NULL,
  retired_at  bigint
);
CREATE INDEX executors_live ON executors (name) WHERE retired_at IS NULL;

-- Definitions that processes were started with, for the report when code changed under a process.
CREATE TABLE definitions (
  hash     text NOT NULL PRIMARY KEY,
  workflow text NOT NULL,
  doc      text COMPRESSION lz4 NOT NULL,          -- [[key, kind, effects]...]
  seen_at  bigint NOT NULL
);

CREATE TABLE processes (
  id               text NOT NULL PRIMARY KEY,
  workflow         text NOT NULL,
  workflow_id      text NOT NULL,
  target           text NOT NULL,
  is_task          bigint NOT NULL DEFAULT 0,
  priority         bigint NOT NULL DEFAULT 0,   -- 0 interactive, 1 task
  status           text NOT NULL,
  assignee         text NOT NULL DEFAULT 'SYSTEM',
  created_by       text NOT NULL,
  ticket           text,
  reason           text,
  correlation_id   text NOT NULL,
  definition_hash  text NOT NULL,
  created_at       bigint NOT NULL,
  modified_at      bigint NOT NULL,
  last_key         text,
  last_step        text,                         -- title
  failed_reason    text,
  error            text,                         -- JSON of the last failure
  note             text,
  lease_owner      text,                         -- incarnation, or null = free
  lease_epoch      bigint NOT NULL DEFAULT 0,   -- fence: +1 at every claim
  wake_at          bigint,                      -- status waiting: not before
  wait_kind        text,                         -- retry, timer, lock, label, children, condition, callback_timeout
  wait_reason      text,
  label            text,                         -- executor label this process needs next, or null
  parent_id        text,
  parent_step      text,
  parent_item      text,
  head_seq         bigint NOT NULL DEFAULT 0,   -- seq of the newest step row; 0 none
  snapshot_seq     bigint NOT NULL DEFAULT 0,   -- step row holding the newest whole state; 0 = process_inputs '' 0
  delta_bytes      bigint NOT NULL DEFAULT 0,   -- deltas since that snapshot
  audit_seq        bigint NOT NULL DEFAULT 0,   -- head of the audit chain of this process
  audit_hash       text NOT NULL DEFAULT '',
  requests         bigint NOT NULL DEFAULT 0    -- > 0: process_requests rows are waiting for the owner
) WITH (fillfactor = 70);
-- Lists (store/list_tables.c): every index ends in (created_at, id), so that it also gives the order; read backwards for newest first.
-- No column that changes with every step may stand in an index (heap-only updates).
CREATE INDEX processes_created ON processes (created_at, id);
CREATE INDEX processes_status ON processes (status, created_at, id);
CREATE INDEX processes_workflow ON processes (workflow_id, created_at, id);
CREATE INDEX processes_workflow_name ON processes (workflow, created_at, id);
CREATE INDEX processes_task ON processes (is_task, created_at, id);
CREATE INDEX processes_open ON processes (is_task, priority, created_at, id)
  WHERE status NOT IN ('completed', 'aborted');
CREATE INDEX processes_owner ON processes (lease_owner) WHERE lease_owner IS NOT NULL;
CREATE INDEX processes_wake ON processes (wake_at) WHERE wake_at IS NOT NULL;
CREATE UNIQUE INDEX processes_child ON processes (parent_id, parent_step, parent_item) WHERE parent_id IS NOT NULL;

-- One row per step (group sub-steps "group/sub", each-steps "key/<n>", undo rows "undo:<key>"); seq is the order of first execution.
CREATE TABLE process_steps (
  process_id   text NOT NULL,
  seq          bigint NOT NULL,
  step_id      text NOT NULL,
  key          text NOT NULL,
  title        text NOT NULL,
  status       text NOT NULL,
  delta        text COMPRESSION lz4 NOT NULL DEFAULT '{}',       -- {"set": {...}, "unset": [...]}
  snapshot     text COMPRESSION lz4,                             -- whole state after this step, now and then
  error        text,                             -- failed and waiting: the error object
  retries      bigint NOT NULL DEFAULT 0,
  created_by   text NOT NULL,
  assignee     text NOT NULL DEFAULT 'SYSTEM',
  started_at   bigint NOT NULL,
  completed_at bigint NOT NULL
);
CREATE UNIQUE INDEX process_steps_seq ON process_steps (process_id, seq);

CREATE TABLE step_attempts (
  process_id text NOT NULL,
  step_key   text NOT NULL,
  n          bigint NOT NULL,
  epoch      bigint NOT NULL,
  executor   text NOT NULL,
  token      text NOT NULL,                      -- idempotency token of this attempt
  started_at bigint NOT NULL,
  ended_at   bigint,
  outcome    text NOT NULL,                      -- running, then an outcome slug
  error      text
);
CREATE UNIQUE INDEX step_attempts_n ON step_attempts (process_id, step_key, n);

CREATE TABLE step_compensations (
  process_id text NOT NULL,
  step_key   text NOT NULL,
  n          bigint NOT NULL,
  doc        text COMPRESSION lz4 NOT NULL,
  done_at    bigint
);
CREATE UNIQUE INDEX step_compensations_n ON step_compensations (process_id, step_key, n);

-- Everything that was put in from outside, keyed to the waiting step and consumed exactly once. step_key '' n 0 = the initial state.
CREATE TABLE process_inputs (
  process_id  text NOT NULL,
  step_key    text NOT NULL,
  n           bigint NOT NULL,                  -- how many-th wait of this step
  kind        text NOT NULL,                     -- initial, form, callback, progress
  doc         text COMPRESSION lz4 NOT NULL,
  actor       text NOT NULL,
  created_at  bigint NOT NULL,
  consumed_at bigint
);
CREATE UNIQUE INDEX process_inputs_n ON process_inputs (process_id, step_key, n, kind);

-- What an operator asked of a process that somebody owns; the owner consumes it under its fence.
CREATE TABLE process_requests (
  id         text NOT NULL PRIMARY KEY,
  process_id text NOT NULL,
  kind       text NOT NULL,                      -- abort, abort_rollback, wake
  actor      text NOT NULL,
  ticket     text,
  reason     text,
  correlation_id text NOT NULL,
  doc        text COMPRESSION lz4 NOT NULL DEFAULT '{}',
  created_at bigint NOT NULL
);
CREATE INDEX process_requests_process ON process_requests (process_id, created_at);

CREATE TABLE subscriptions (
  id          text NOT NULL PRIMARY KEY,
  product_id  text NOT NULL,
  product     text NOT NULL,                     -- product name, for messages and lists
  customer_id text NOT NULL,
  description text NOT NULL,
  status      text NOT NULL,
  insync      bigint NOT NULL DEFAULT 0,
  start_date  bigint,
  end_date    bigint,
  note        text,
  version     bigint NOT NULL DEFAULT 1,        -- every change, blocks included
  lock_seq    bigint NOT NULL DEFAULT 0,
  created_at  bigint NOT NULL,
  modified_at bigint NOT NULL,
  validated_at bigint                           -- last successful VALIDATE
);
CREATE INDEX subscriptions_created ON subscriptions (created_at, id);
CREATE INDEX subscriptions_status ON subscriptions (status, created_at, id);
CREATE INDEX subscriptions_product ON subscriptions (product_id, created_at, id);
CREATE INDEX subscriptions_product_name ON subscriptions (lower(product), created_at, id);
CREATE INDEX subscriptions_customer ON subscriptions (customer_id, created_at, id);
CREATE INDEX subscriptions_validation ON subscriptions ((COALESCE(validated_at, 0)), id) WHERE status <> 'terminated';
CREATE INDEX subscriptions_description ON subscriptions (lower(description), created_at, id);
CREATE INDEX subscriptions_insync ON subscriptions (insync, created_at, id);
CREATE INDEX subscriptions_start ON subscriptions ((COALESCE(start_date, 0)), created_at, id);

CREATE TABLE blocks (
  instance_id     text NOT NULL PRIMARY KEY,
  subscription_id text NOT NULL REFERENCES subscriptions (id),
  block           text NOT NULL,
  parent_id       text,
  field           text NOT NULL DEFAULT '',
  position        bigint NOT NULL DEFAULT 0,
  label           text,
  doc             text COMPRESSION lz4 NOT NULL,
  version         bigint NOT NULL DEFAULT 1
);
CREATE INDEX blocks_subscription ON blocks (subscription_id);
CREATE INDEX blocks_parent ON blocks (parent_id) WHERE parent_id IS NOT NULL;

-- A reference to a block that another subscription owns. No cascade: a used block cannot be deleted (W44).
CREATE TABLE block_refs (
  from_id  text NOT NULL REFERENCES blocks (instance_id),
  field    text NOT NULL,
  position bigint NOT NULL,
  to_id    text NOT NULL REFERENCES blocks (instance_id),
  PRIMARY KEY (from_id, field, position)
);
CREATE INDEX block_refs_to ON block_refs (to_id);

CREATE TABLE block_keys (
  scope           text NOT NULL,
  value           text NOT NULL,
  instance_id     text NOT NULL,
  subscription_id text NOT NULL,
  PRIMARY KEY (scope, value)
);
CREATE INDEX block_keys_subscription ON block_keys (subscription_id);

CREATE TABLE block_values (
  name            text NOT NULL,
  value           text NOT NULL,
  instance_id     text NOT NULL,
  subscription_id text NOT NULL
);
CREATE INDEX block_values_value ON block_values (name, value);
CREATE INDEX block_values_subscription ON block_values (subscription_id);

CREATE TABLE block_history (
  instance_id     text NOT NULL,
  version         bigint NOT NULL,
  subscription_id text NOT NULL,
  subscription_version bigint NOT NULL,
  block           text NOT NULL,
  doc             text COMPRESSION lz4,                          -- null: the instance was removed
  process_id      text,
  actor           text NOT NULL,
  at              bigint NOT NULL
);
CREATE UNIQUE INDEX block_history_version ON block_history (instance_id, version);
CREATE INDEX block_history_at ON block_history (at);
CREATE INDEX block_history_subscription ON block_history (subscription_id, subscription_version);

-- Header changes (status, description, note, insync) beside block_history; one row per version.
CREATE TABLE subscription_history (
  subscription_id text NOT NULL,
  version         bigint NOT NULL,
  doc             text COMPRESSION lz4 NOT NULL,
  process_id      text,
  actor           text NOT NULL,
  at              bigint NOT NULL
);
CREATE INDEX subscription_history_at ON subscription_history (at);
CREATE UNIQUE INDEX subscription_history_version ON subscription_history (subscription_id, version);

CREATE TABLE process_subscriptions (
  process_id      text NOT NULL,
  subscription_id text NOT NULL,
  created_at      bigint NOT NULL,
  PRIMARY KEY (process_id, subscription_id)
);
CREATE INDEX process_subscriptions_subscription ON process_subscriptions (subscription_id, created_at DESC);

CREATE TABLE process_locks (
  subscription_id text NOT NULL,
  process_id      text NOT NULL,
  mode            text NOT NULL,                 -- exclusive, shared
  taken_at        bigint NOT NULL,
  PRIMARY KEY (subscription_id, process_id)
);
CREATE UNIQUE INDEX process_locks_exclusive ON process_locks (subscription_id) WHERE mode = 'exclusive';
CREATE INDEX process_locks_process ON process_locks (process_id);

-- Leased locks by name: ne:<id>, session:<ne>, task:<workflow> ...
CREATE TABLE named_locks (
  name       text NOT NULL PRIMARY KEY,
  process_id text NOT NULL,
  epoch      bigint NOT NULL,
  taken_at   bigint NOT NULL
);
CREATE INDEX named_locks_process ON named_locks (process_id);

-- Events are written with the change and numbered after the commit by one sequencer.
CREATE TABLE outbox (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  seq        bigint,
  doc        text COMPRESSION lz4 NOT NULL,                      -- {"name": "invalidateCache", "value": {...}}
  created_at bigint NOT NULL
);
CREATE UNIQUE INDEX outbox_seq ON outbox (seq) WHERE seq IS NOT NULL;
CREATE INDEX outbox_unnumbered ON outbox (id) WHERE seq IS NULL;

CREATE TABLE audit (
  chain          text NOT NULL,                  -- process id, or system:<incarnation>
  seq            bigint NOT NULL,
  actor          text NOT NULL,
  reason         text,
  ticket         text,
  correlation_id text,
  body           text COMPRESSION lz4 NOT NULL,
  at             bigint NOT NULL,
  prev_hash      text NOT NULL,
  hash           text NOT NULL
);
CREATE UNIQUE INDEX audit_chain ON audit (chain, seq);
CREATE INDEX audit_at ON audit (at);

-- A seal covers the heads of all chains at a moment, and the seal before it.
CREATE TABLE audit_seals (
  n         bigint NOT NULL PRIMARY KEY,
  at        bigint NOT NULL,
  rows      bigint NOT NULL,                    -- audit rows covered
  heads     text NOT NULL,                       -- {"chain": [seq, hash, at]...} changed since the seal before
  prev_hash text NOT NULL,
  hash      text NOT NULL
);

CREATE TABLE tokens (
  id         text NOT NULL PRIMARY KEY,
  name       text NOT NULL,
  hash       text NOT NULL UNIQUE,               -- SHA-256 of the token
  role       text NOT NULL,                      -- read, operate, admin
  created_by text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  revoked_at bigint,
  used_at    bigint
);

CREATE TABLE idempotency (
  actor      text NOT NULL,
  key        text NOT NULL,
  request    text NOT NULL,                      -- SHA-256 of method, path and body
  process_id text NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_process ON idempotency (process_id);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- global_lock, server_key, catalog_hash, restored, schema facts ...
CREATE TABLE settings (
  name       text NOT NULL PRIMARY KEY,
  value      text NOT NULL,
  changed_by text NOT NULL,
  changed_at bigint NOT NULL
);

-- What operators may edit of the catalog; everything else comes from the modules.
CREATE TABLE catalog_texts (
  kind        text NOT NULL,                     -- product, product_block, resource_type, workflow, fixed_input
  id          text NOT NULL,                     -- catalog id
  name        text NOT NULL,
  description text,
  status      text NOT NULL DEFAULT 'active',    -- product lifecycle
  created_at  bigint NOT NULL,
  end_date    bigint,
  PRIMARY KEY (kind, id)
);

CREATE TABLE import_rows (
  source      text NOT NULL,
  key         text NOT NULL,
  imported_at bigint NOT NULL,
  doc         text COMPRESSION lz4 NOT NULL,
  process_id  text,
  PRIMARY KEY (source, key, imported_at)
);

-- The database's clock in UTC microseconds: what leases are measured with. Tests turn it through the settings row clock_shift_us.
CREATE FUNCTION lp_now() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)
    + COALESCE((SELECT CAST(value AS bigint) FROM settings WHERE name = 'clock_shift_us'), 0);
END
$$;

-- Words of subscription headers and of block documents (a tsvector holds a megabyte at most).
CREATE INDEX subscriptions_words ON subscriptions USING gin (to_tsvector('simple',
  description || ' ' || product || ' ' || status || ' ' || id || ' ' || customer_id || ' ' || COALESCE(note, '')));
CREATE INDEX blocks_words ON blocks USING gin (to_tsvector('simple', left(doc, 200000)));
