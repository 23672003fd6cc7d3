-- Schedules, what became of each of their due times, and maintenance windows. Only adds: the release before this one goes on working.

CREATE TABLE schedules (
  id           text NOT NULL PRIMARY KEY,
  name         text NOT NULL,
  workflow     text NOT NULL,
  inputs       text NOT NULL DEFAULT '[{}]',     -- form pages, JSON
  kind         text NOT NULL,                    -- cron, interval, date
  spec         text NOT NULL,                    -- JSON, members depend on kind
  timezone     text NOT NULL DEFAULT 'UTC',
  begins_at    bigint,                             -- no due time before
  ends_at      bigint,                             -- no due time after
  jitter_s     bigint NOT NULL DEFAULT 0,          -- starts are spread over so many seconds behind the due time
  misfire      text NOT NULL DEFAULT 'once',     -- what happens to due times that nobody was there for: skip, once, all
  misfire_most bigint NOT NULL DEFAULT 24,         -- all: at most so many, the newest ones
  grace_s      bigint NOT NULL DEFAULT 60,         -- so late a start is still on time
  overlap      text NOT NULL DEFAULT 'allow',    -- skip: not while the process of an earlier run is at work
  window_id    text,                             -- maintenance window that the processes are bound to
  paused       bigint NOT NULL DEFAULT 0,
  due_at       bigint,                             -- next due time; null: none comes any more
  start_at     bigint,                             -- that with its jitter: when to look again
  version      bigint NOT NULL DEFAULT 1,          -- counts every change and every due time dealt with
  owner        text NOT NULL,                    -- who changed it last: processes start in this name ...
  owner_role   text NOT NULL,                    -- ... and with this role
  created_by   text NOT NULL,
  created_at   bigint NOT NULL,
  modified_at  bigint NOT NULL
);
CREATE INDEX schedules_start ON schedules (start_at) WHERE start_at IS NOT NULL AND paused = 0;
CREATE INDEX schedules_name ON schedules (name, id);
CREATE INDEX schedules_window ON schedules (window_id) WHERE window_id IS NOT NULL;

-- One row per due time: the key that makes each of them happen once, whatever number of schedulers runs.
CREATE TABLE schedule_runs (
  schedule_id text NOT NULL,
  due_at      bigint NOT NULL,
  at          bigint NOT NULL,
  outcome     text NOT NULL,                     -- started, skipped, refused, missed
  process_id  text,
  reason      text,
  scheduler   text NOT NULL,                     -- incarnation that did it
  PRIMARY KEY (schedule_id, due_at)
);
CREATE INDEX schedule_runs_at ON schedule_runs (at);
CREATE INDEX schedule_runs_process ON schedule_runs (process_id) WHERE process_id IS NOT NULL;

CREATE TABLE windows (
  id           text NOT NULL PRIMARY KEY,
  name         text NOT NULL UNIQUE,
  description  text,
  timezone     text NOT NULL DEFAULT 'UTC',
  days         bigint NOT NULL DEFAULT 127,        -- recurring: bit 0 = Sunday; the day it opens
  opens_min    bigint,                             -- minutes behind midnight; null: once
  closes_min   bigint,                             -- not later than opens_min: on the next day
  begins_at    bigint,                             -- once: opens; recurring: not before
  ends_at      bigint,                             -- once: closes; recurring: never open after
  margin_s     bigint NOT NULL DEFAULT 0,          -- so long before it closes nothing new is begun
  version      bigint NOT NULL DEFAULT 1,
  created_by   text NOT NULL,
  created_at   bigint NOT NULL,
  modified_at  bigint NOT NULL
);

-- The window outside which steps of this process wait.
ALTER TABLE processes ADD COLUMN window_id text;
CREATE INDEX processes_window ON processes (window_id) WHERE window_id IS NOT NULL;
