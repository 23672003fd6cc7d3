-- Schedules, what became of each of their due times, and maintenance windows. Only adds: the release before this one goes on working.

CREATE TABLE schedules (
  id           TEXT NOT NULL PRIMARY KEY,
  name         TEXT NOT NULL,
  workflow     TEXT NOT NULL,
  inputs       TEXT NOT NULL DEFAULT '[{}]',     -- form pages, JSON
  kind         TEXT NOT NULL,                    -- cron, interval, date
  spec         TEXT NOT NULL,                    -- JSON, members depend on kind
  timezone     TEXT NOT NULL DEFAULT 'UTC',
  begins_at    INTEGER,                             -- no due time before
  ends_at      INTEGER,                             -- no due time after
  jitter_s     INTEGER NOT NULL DEFAULT 0,          -- starts are spread over so many seconds behind the due time
  misfire      TEXT NOT NULL DEFAULT 'once',     -- what happens to due times that nobody was there for: skip, once, all
  misfire_most INTEGER NOT NULL DEFAULT 24,         -- all: at most so many, the newest ones
  grace_s      INTEGER NOT NULL DEFAULT 60,         -- so late a start is still on time
  overlap      TEXT NOT NULL DEFAULT 'allow',    -- skip: not while the process of an earlier run is at work
  window_id    TEXT,                             -- maintenance window that the processes are bound to
  paused       INTEGER NOT NULL DEFAULT 0,
  due_at       INTEGER,                             -- next due time; null: none comes any more
  start_at     INTEGER,                             -- that with its jitter: when to look again
  version      INTEGER NOT NULL DEFAULT 1,          -- counts every change and every due time dealt with
  owner        TEXT NOT NULL,                    -- who changed it last: processes start in this name ...
  owner_role   TEXT NOT NULL,                    -- ... and with this role
  created_by   TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  modified_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX schedules_start ON schedules (start_at) WHERE start_at IS NOT NULL AND paused = 0;
CREATE INDEX schedules_name ON schedules (name, id);
CREATE INDEX schedules_window ON schedules (window_id) WHERE window_id IS NOT NULL;

-- One row per due time: the key that makes each of them happen once, whatever number of schedulers runs.
CREATE TABLE schedule_runs (
  schedule_id TEXT NOT NULL,
  due_at      INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  outcome     TEXT NOT NULL,                     -- started, skipped, refused, missed
  process_id  TEXT,
  reason      TEXT,
  scheduler   TEXT NOT NULL,                     -- incarnation that did it
  PRIMARY KEY (schedule_id, due_at)
) STRICT;
CREATE INDEX schedule_runs_at ON schedule_runs (at);
CREATE INDEX schedule_runs_process ON schedule_runs (process_id) WHERE process_id IS NOT NULL;

CREATE TABLE windows (
  id           TEXT NOT NULL PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  description  TEXT,
  timezone     TEXT NOT NULL DEFAULT 'UTC',
  days         INTEGER NOT NULL DEFAULT 127,        -- recurring: bit 0 = Sunday; the day it opens
  opens_min    INTEGER,                             -- minutes behind midnight; null: once
  closes_min   INTEGER,                             -- not later than opens_min: on the next day
  begins_at    INTEGER,                             -- once: opens; recurring: not before
  ends_at      INTEGER,                             -- once: closes; recurring: never open after
  margin_s     INTEGER NOT NULL DEFAULT 0,          -- so long before it closes nothing new is begun
  version      INTEGER NOT NULL DEFAULT 1,
  created_by   TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  modified_at  INTEGER NOT NULL
) STRICT;

-- The window outside which steps of this process wait.
ALTER TABLE processes ADD COLUMN window_id TEXT;
CREATE INDEX processes_window ON processes (window_id) WHERE window_id IS NOT NULL;
