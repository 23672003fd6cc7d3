-- Lightpath schema 1. Times are UTC microseconds, ids 36-character UUID texts, documents canonical JSON texts.

-- One row per running program with the executor role. expires_at is moved by the heartbeat; embedded mode writes none and uses the far
-- future: the next daemon that opens the file retires the former incarnation.
CREATE TABLE executors (
  incarnation TEXT NOT NULL PRIMARY KEY,
  name        TEXT NOT NULL,
  host        TEXT NOT NULL,
  labels      TEXT NOT NULL DEFAULT '[]',
  started_at  INTEGER NOT NULL,
  renewed_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  retired_at  INTEGER
) STRICT;
CREATE INDEX executors_live ON executors (name) WHERE retired_at IS NULL;

-- Definitions that processes were started with, for the report when code changed under a process.
CREATE TABLE definitions (
  hash     TEXT NOT NULL PRIMARY KEY,
  workflow TEXT NOT NULL,
  doc      TEXT NOT NULL,          -- [[key, kind, effects]...]
  seen_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE processes (
  id               TEXT NOT NULL PRIMARY KEY,
  workflow         TEXT NOT NULL,
  workflow_id      TEXT NOT NULL,
  target           TEXT NOT NULL,
  is_task          INTEGER NOT NULL DEFAULT 0,
  priority         INTEGER NOT NULL DEFAULT 0,   -- 0 interactive, 1 task
  status           TEXT NOT NULL,
  assignee         TEXT NOT NULL DEFAULT 'SYSTEM',
  created_by       TEXT NOT NULL,
  ticket           TEXT,
  reason           TEXT,
  correlation_id   TEXT NOT NULL,
  definition_hash  TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  modified_at      INTEGER NOT NULL,
  last_key         TEXT,
  last_step        TEXT,                         -- title
  failed_reason    TEXT,
  error            TEXT,                         -- JSON of the last failure
  note             TEXT,
  lease_owner      TEXT,                         -- incarnation, or null = free
  lease_epoch      INTEGER NOT NULL DEFAULT 0,   -- fence: +1 at every claim
  wake_at          INTEGER,                      -- status waiting: not before
  wait_kind        TEXT,                         -- retry, timer, lock, label, children, condition, callback_timeout
  wait_reason      TEXT,
  label            TEXT,                         -- executor label this process needs next, or null
  parent_id        TEXT,
  parent_step      TEXT,
  parent_item      TEXT,
  head_seq         INTEGER NOT NULL DEFAULT 0,   -- seq of the newest step row; 0 none
  snapshot_seq     INTEGER NOT NULL DEFAULT 0,   -- step row holding the newest whole state; 0 = process_inputs '' 0
  delta_bytes      INTEGER NOT NULL DEFAULT 0,   -- deltas since that snapshot
  audit_seq        INTEGER NOT NULL DEFAULT 0,   -- head of the audit chain of this process
  audit_hash       TEXT NOT NULL DEFAULT '',
  requests         INTEGER NOT NULL DEFAULT 0    -- > 0: process_requests rows are waiting for the owner
) STRICT;
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
  process_id   TEXT NOT NULL,
  seq          INTEGER NOT NULL,
  step_id      TEXT NOT NULL,
  key          TEXT NOT NULL,
  title        TEXT NOT NULL,
  status       TEXT NOT NULL,
  delta        TEXT NOT NULL DEFAULT '{}',       -- {"set": {...}, "unset": [...]}
  snapshot     TEXT,                             -- whole state after this step, now and then
  error        TEXT,                             -- failed and waiting: the error object
  retries      INTEGER NOT NULL DEFAULT 0,
  created_by   TEXT NOT NULL,
  assignee     TEXT NOT NULL DEFAULT 'SYSTEM',
  started_at   INTEGER NOT NULL,
  completed_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX process_steps_seq ON process_steps (process_id, seq);

CREATE TABLE step_attempts (
  process_id TEXT NOT NULL,
  step_key   TEXT NOT NULL,
  n          INTEGER NOT NULL,
  epoch      INTEGER NOT NULL,
  executor   TEXT NOT NULL,
  token      TEXT NOT NULL,                      -- idempotency token of this attempt
  started_at INTEGER NOT NULL,
  ended_at   INTEGER,
  outcome    TEXT NOT NULL,                      -- running, then an outcome slug
  error      TEXT
) STRICT;
CREATE UNIQUE INDEX step_attempts_n ON step_attempts (process_id, step_key, n);

CREATE TABLE step_compensations (
  process_id TEXT NOT NULL,
  step_key   TEXT NOT NULL,
  n          INTEGER NOT NULL,
  doc        TEXT NOT NULL,
  done_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX step_compensations_n ON step_compensations (process_id, step_key, n);

-- Everything that was put in from outside, keyed to the waiting step and consumed exactly once. step_key '' n 0 = the initial state.
CREATE TABLE process_inputs (
  process_id  TEXT NOT NULL,
  step_key    TEXT NOT NULL,
  n           INTEGER NOT NULL,                  -- how many-th wait of this step
  kind        TEXT NOT NULL,                     -- initial, form, callback, progress
  doc         TEXT NOT NULL,
  actor       TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  consumed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX process_inputs_n ON process_inputs (process_id, step_key, n, kind);

-- What an operator asked of a process that somebody owns; the owner consumes it under its fence.
CREATE TABLE process_requests (
  id         TEXT NOT NULL PRIMARY KEY,
  process_id TEXT NOT NULL,
  kind       TEXT NOT NULL,                      -- abort, abort_rollback, wake
  actor      TEXT NOT NULL,
  ticket     TEXT,
  reason     TEXT,
  correlation_id TEXT NOT NULL,
  doc        TEXT NOT NULL DEFAULT '{}',
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX process_requests_process ON process_requests (process_id, created_at);

CREATE TABLE subscriptions (
  id          TEXT NOT NULL PRIMARY KEY,
  product_id  TEXT NOT NULL,
  product     TEXT NOT NULL,                     -- product name, for messages and lists
  customer_id TEXT NOT NULL,
  description TEXT NOT NULL,
  status      TEXT NOT NULL,
  insync      INTEGER NOT NULL DEFAULT 0,
  start_date  INTEGER,
  end_date    INTEGER,
  note        TEXT,
  version     INTEGER NOT NULL DEFAULT 1,        -- every change, blocks included
  lock_seq    INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  validated_at INTEGER                           -- last successful VALIDATE
) STRICT;
CREATE INDEX subscriptions_created ON subscriptions (created_at, id);
CREATE INDEX subscriptions_status ON subscriptions (status, created_at, id);
CREATE INDEX subscriptions_product ON subscriptions (product_id, created_at, id);
CREATE INDEX subscriptions_product_name ON subscriptions (lower(product), created_at, id);
CREATE INDEX subscriptions_customer ON subscriptions (customer_id, created_at, id);
CREATE INDEX subscriptions_validation ON subscriptions (COALESCE(validated_at, 0), id) WHERE status <> 'terminated';
CREATE INDEX subscriptions_description ON subscriptions (lower(description), created_at, id);
CREATE INDEX subscriptions_insync ON subscriptions (insync, created_at, id);
CREATE INDEX subscriptions_start ON subscriptions ((COALESCE(start_date, 0)), created_at, id);

CREATE TABLE blocks (
  instance_id     TEXT NOT NULL PRIMARY KEY,
  subscription_id TEXT NOT NULL REFERENCES subscriptions (id),
  block           TEXT NOT NULL,
  parent_id       TEXT,
  field           TEXT NOT NULL DEFAULT '',
  position        INTEGER NOT NULL DEFAULT 0,
  label           TEXT,
  doc             TEXT NOT NULL,
  version         INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX blocks_subscription ON blocks (subscription_id);
CREATE INDEX blocks_parent ON blocks (parent_id) WHERE parent_id IS NOT NULL;

-- A reference to a block that another subscription owns. No cascade: a used block cannot be deleted (W44).
CREATE TABLE block_refs (
  from_id  TEXT NOT NULL REFERENCES blocks (instance_id),
  field    TEXT NOT NULL,
  position INTEGER NOT NULL,
  to_id    TEXT NOT NULL REFERENCES blocks (instance_id),
  PRIMARY KEY (from_id, field, position)
) STRICT;
CREATE INDEX block_refs_to ON block_refs (to_id);

CREATE TABLE block_keys (
  scope           TEXT NOT NULL,
  value           TEXT NOT NULL,
  instance_id     TEXT NOT NULL,
  subscription_id TEXT NOT NULL,
  PRIMARY KEY (scope, value)
) STRICT;
CREATE INDEX block_keys_subscription ON block_keys (subscription_id);

CREATE TABLE block_values (
  name            TEXT NOT NULL,
  value           TEXT NOT NULL,
  instance_id     TEXT NOT NULL,
  subscription_id TEXT NOT NULL
) STRICT;
CREATE INDEX block_values_value ON block_values (name, value);
CREATE INDEX block_values_subscription ON block_values (subscription_id);

CREATE TABLE block_history (
  instance_id     TEXT NOT NULL,
  version         INTEGER NOT NULL,
  subscription_id TEXT NOT NULL,
  subscription_version INTEGER NOT NULL,
  block           TEXT NOT NULL,
  doc             TEXT,                          -- null: the instance was removed
  process_id      TEXT,
  actor           TEXT NOT NULL,
  at              INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX block_history_version ON block_history (instance_id, version);
CREATE INDEX block_history_at ON block_history (at);
CREATE INDEX block_history_subscription ON block_history (subscription_id, subscription_version);

-- Header changes (status, description, note, insync) beside block_history; one row per version.
CREATE TABLE subscription_history (
  subscription_id TEXT NOT NULL,
  version         INTEGER NOT NULL,
  doc             TEXT NOT NULL,
  process_id      TEXT,
  actor           TEXT NOT NULL,
  at              INTEGER NOT NULL
) STRICT;
CREATE INDEX subscription_history_at ON subscription_history (at);
CREATE UNIQUE INDEX subscription_history_version ON subscription_history (subscription_id, version);

CREATE TABLE process_subscriptions (
  process_id      TEXT NOT NULL,
  subscription_id TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (process_id, subscription_id)
) STRICT;
CREATE INDEX process_subscriptions_subscription ON process_subscriptions (subscription_id, created_at DESC);

CREATE TABLE process_locks (
  subscription_id TEXT NOT NULL,
  process_id      TEXT NOT NULL,
  mode            TEXT NOT NULL,                 -- exclusive, shared
  taken_at        INTEGER NOT NULL,
  PRIMARY KEY (subscription_id, process_id)
) STRICT;
CREATE UNIQUE INDEX process_locks_exclusive ON process_locks (subscription_id) WHERE mode = 'exclusive';
CREATE INDEX process_locks_process ON process_locks (process_id);

-- Leased locks by name: ne:<id>, session:<ne>, task:<workflow> ...
CREATE TABLE named_locks (
  name       TEXT NOT NULL PRIMARY KEY,
  process_id TEXT NOT NULL,
  epoch      INTEGER NOT NULL,
  taken_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX named_locks_process ON named_locks (process_id);

-- Events are written with the change and numbered after the commit by one sequencer.
CREATE TABLE outbox (
  id         INTEGER PRIMARY KEY,
  seq        INTEGER,
  doc        TEXT NOT NULL,                      -- {"name": "invalidateCache", "value": {...}}
  created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX outbox_seq ON outbox (seq) WHERE seq IS NOT NULL;
CREATE INDEX outbox_unnumbered ON outbox (id) WHERE seq IS NULL;

CREATE TABLE audit (
  chain          TEXT NOT NULL,                  -- process id, or system:<incarnation>
  seq            INTEGER NOT NULL,
  actor          TEXT NOT NULL,
  reason         TEXT,
  ticket         TEXT,
  correlation_id TEXT,
  body           TEXT NOT NULL,
  at             INTEGER NOT NULL,
  prev_hash      TEXT NOT NULL,
  hash           TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_chain ON audit (chain, seq);
CREATE INDEX audit_at ON audit (at);

-- A seal covers the heads of all chains at a moment, and the seal before it.
CREATE TABLE audit_seals (
  n         INTEGER NOT NULL PRIMARY KEY,
  at        INTEGER NOT NULL,
  rows      INTEGER NOT NULL,                    -- audit rows covered
  heads     TEXT NOT NULL,                       -- {"chain": [seq, hash, at]...} changed since the seal before
  prev_hash TEXT NOT NULL,
  hash      TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
  id         TEXT NOT NULL PRIMARY KEY,
  name       TEXT NOT NULL,
  hash       TEXT NOT NULL UNIQUE,               -- SHA-256 of the token
  role       TEXT NOT NULL,                      -- read, operate, admin
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  used_at    INTEGER
) STRICT;

CREATE TABLE idempotency (
  actor      TEXT NOT NULL,
  key        TEXT NOT NULL,
  request    TEXT NOT NULL,                      -- SHA-256 of method, path and body
  process_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (actor, key)
) STRICT;
CREATE INDEX idempotency_process ON idempotency (process_id);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- global_lock, server_key, catalog_hash, restored, schema facts ...
CREATE TABLE settings (
  name       TEXT NOT NULL PRIMARY KEY,
  value      TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;

-- What operators may edit of the catalog; everything else comes from the modules.
CREATE TABLE catalog_texts (
  kind        TEXT NOT NULL,                     -- product, product_block, resource_type, workflow, fixed_input
  id          TEXT NOT NULL,                     -- catalog id
  name        TEXT NOT NULL,
  description TEXT,
  status      TEXT NOT NULL DEFAULT 'active',    -- product lifecycle
  created_at  INTEGER NOT NULL,
  end_date    INTEGER,
  PRIMARY KEY (kind, id)
) STRICT;

CREATE TABLE import_rows (
  source      TEXT NOT NULL,
  key         TEXT NOT NULL,
  imported_at INTEGER NOT NULL,
  doc         TEXT NOT NULL,
  process_id  TEXT,
  PRIMARY KEY (source, key, imported_at)
) STRICT;

-- Words of subscription headers and of block documents, kept by triggers in the commit that changes them. The text itself is not stored
-- twice (contentless); search_docs gives each source a number that never changes.
CREATE TABLE search_docs (
  n               INTEGER PRIMARY KEY,           -- rowid in search_words
  source          TEXT NOT NULL UNIQUE,          -- block instance id, or subscription id
  subscription_id TEXT NOT NULL
) STRICT;
CREATE INDEX search_docs_subscription ON search_docs (subscription_id);
CREATE VIRTUAL TABLE search_words USING fts5 (words, content = '', tokenize = 'unicode61');

CREATE TRIGGER blocks_words_insert AFTER INSERT ON blocks BEGIN
  INSERT INTO search_docs (source, subscription_id) VALUES (new.instance_id, new.subscription_id);
  INSERT INTO search_words (rowid, words) VALUES ((SELECT n FROM search_docs WHERE source = new.instance_id), new.doc);
END;
CREATE TRIGGER blocks_words_update AFTER UPDATE OF doc ON blocks WHEN old.doc <> new.doc BEGIN
  INSERT INTO search_words (search_words, rowid, words)
    VALUES ('delete', (SELECT n FROM search_docs WHERE source = old.instance_id), old.doc);
  INSERT INTO search_words (rowid, words) VALUES ((SELECT n FROM search_docs WHERE source = new.instance_id), new.doc);
END;
CREATE TRIGGER blocks_words_delete AFTER DELETE ON blocks BEGIN
  INSERT INTO search_words (search_words, rowid, words)
    VALUES ('delete', (SELECT n FROM search_docs WHERE source = old.instance_id), old.doc);
  DELETE FROM search_docs WHERE source = old.instance_id;
END;

CREATE TRIGGER subscriptions_words_insert AFTER INSERT ON subscriptions BEGIN
  INSERT INTO search_docs (source, subscription_id) VALUES (new.id, new.id);
  INSERT INTO search_words (rowid, words) VALUES ((SELECT n FROM search_docs WHERE source = new.id),
    new.description || ' ' || new.product || ' ' || new.status || ' ' || new.id || ' ' || new.customer_id || ' ' || COALESCE(new.note, ''));
END;
CREATE TRIGGER subscriptions_words_update AFTER UPDATE OF description, product, status, customer_id, note ON subscriptions
WHEN old.description <> new.description OR old.product <> new.product OR old.status <> new.status
  OR old.customer_id <> new.customer_id OR old.note IS NOT new.note BEGIN
  INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', (SELECT n FROM search_docs WHERE source = old.id),
    old.description || ' ' || old.product || ' ' || old.status || ' ' || old.id || ' ' || old.customer_id || ' ' || COALESCE(old.note, ''));
  INSERT INTO search_words (rowid, words) VALUES ((SELECT n FROM search_docs WHERE source = new.id),
    new.description || ' ' || new.product || ' ' || new.status || ' ' || new.id || ' ' || new.customer_id || ' ' || COALESCE(new.note, ''));
END;
CREATE TRIGGER subscriptions_words_delete AFTER DELETE ON subscriptions BEGIN
  INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', (SELECT n FROM search_docs WHERE source = old.id),
    old.description || ' ' || old.product || ' ' || old.status || ' ' || old.id || ' ' || old.customer_id || ' ' || COALESCE(old.note, ''));
  DELETE FROM search_docs WHERE source = old.id;
END;
