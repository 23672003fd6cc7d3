-- ---- maintenance windows ----

-- name: window_get
SELECT w.id, w.name, w.description, w.timezone, w.days, w.opens_min, w.closes_min, w.begins_at, w.ends_at, w.margin_s, w.version,
       w.created_by, w.created_at, w.modified_at, lp_now() AS now,
       (SELECT count(*) FROM processes p WHERE p.window_id = w.id AND p.status NOT IN ('completed', 'aborted')) AS bound
FROM windows w WHERE w.id = CAST(:id AS text) OR w.name = CAST(:id AS text)

-- name: window_list
SELECT w.id, w.name, w.description, w.timezone, w.days, w.opens_min, w.closes_min, w.begins_at, w.ends_at, w.margin_s, w.version,
       w.created_by, w.created_at, w.modified_at, lp_now() AS now,
       (SELECT count(*) FROM processes p WHERE p.window_id = w.id AND p.status NOT IN ('completed', 'aborted')) AS bound
FROM windows w ORDER BY w.name LIMIT 1000

-- name: window_look
-- What a step asks that is bound to a window.
SELECT w.id, w.name, w.description, w.timezone, w.days, w.opens_min, w.closes_min, w.begins_at, w.ends_at, w.margin_s, w.version,
       w.created_by, w.created_at, w.modified_at, lp_now() AS now, 0 AS bound
FROM windows w WHERE w.id = :id

-- name: window_insert
INSERT INTO windows (id, name, description, timezone, days, opens_min, closes_min, begins_at, ends_at, margin_s,
                     created_by, created_at, modified_at)
VALUES (:id, :name, :description, :timezone, :days, :opens_min, :closes_min, :begins_at, :ends_at, :margin_s, :actor, :now, :now)

-- name: window_update
UPDATE windows SET version = CASE WHEN version = CAST(:version AS bigint) THEN version + 1 END, name = :name,
  description = CAST(:description AS text), timezone = :timezone, days = :days, opens_min = CAST(:opens_min AS bigint),
  closes_min = CAST(:closes_min AS bigint), begins_at = CAST(:begins_at AS bigint), ends_at = CAST(:ends_at AS bigint),
  margin_s = :margin_s, modified_at = :now
WHERE id = :id

-- name: window_delete_check
-- Not while something waits for it or would be bound to it: the version turns null, and the unit fails.
UPDATE windows SET version = CASE
  WHEN NOT EXISTS (SELECT 1 FROM processes p WHERE p.window_id = windows.id AND p.status NOT IN ('completed', 'aborted'))
   AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.window_id = windows.id) THEN version + 1 END
WHERE id = :id

-- name: window_delete
DELETE FROM windows WHERE id = :id

-- name: window_users
SELECT (SELECT count(*) FROM processes p WHERE p.window_id = :id AND p.status NOT IN ('completed', 'aborted')) AS processes,
       (SELECT count(*) FROM schedules s WHERE s.window_id = :id) AS schedules

-- name: window_wake
-- The window is another one now: whoever waits for it looks again.
UPDATE processes SET wake_at = lp_now() WHERE window_id = :id AND status = 'waiting' AND wait_kind = 'window'

-- name: window_waiting
SELECT id, priority FROM processes WHERE window_id = :id AND status = 'waiting' AND wait_kind = 'window' LIMIT 10000

-- name: window_bind
UPDATE processes SET window_id = CAST(:window AS text),
  wake_at = CASE WHEN status = 'waiting' AND wait_kind = 'window' THEN lp_now() ELSE wake_at END
WHERE id = :id

-- ---- schedules ----

-- name: schedule_get
SELECT s.id, s.name, s.workflow, s.inputs, s.kind, s.spec, s.timezone, s.begins_at, s.ends_at, s.jitter_s, s.misfire, s.misfire_most,
       s.grace_s, s.overlap, s.window_id, s.paused, s.due_at, s.start_at, s.version, s.owner, s.owner_role, s.created_by, s.created_at,
       s.modified_at, lp_now() AS now, w.name AS window_name, r.due_at AS last_due, r.at AS last_at, r.outcome AS last_outcome,
       r.process_id AS last_process, r.reason AS last_reason
FROM schedules s
LEFT JOIN windows w ON w.id = s.window_id
LEFT JOIN schedule_runs r ON r.schedule_id = s.id
      AND r.due_at = (SELECT max(m.due_at) FROM schedule_runs m WHERE m.schedule_id = s.id)
WHERE s.id = :id

-- name: schedule_list
SELECT s.id, s.name, s.workflow, s.inputs, s.kind, s.spec, s.timezone, s.begins_at, s.ends_at, s.jitter_s, s.misfire, s.misfire_most,
       s.grace_s, s.overlap, s.window_id, s.paused, s.due_at, s.start_at, s.version, s.owner, s.owner_role, s.created_by, s.created_at,
       s.modified_at, lp_now() AS now, w.name AS window_name, r.due_at AS last_due, r.at AS last_at, r.outcome AS last_outcome,
       r.process_id AS last_process, r.reason AS last_reason
FROM schedules s
LEFT JOIN windows w ON w.id = s.window_id
LEFT JOIN schedule_runs r ON r.schedule_id = s.id
      AND r.due_at = (SELECT max(m.due_at) FROM schedule_runs m WHERE m.schedule_id = s.id)
WHERE s.name > CAST(:name AS text) OR (s.name = CAST(:name AS text) AND s.id > CAST(:id AS text))
ORDER BY s.name, s.id LIMIT CAST(:limit AS bigint)

-- name: schedule_count
SELECT count(*) AS n FROM schedules

-- name: schedule_insert
INSERT INTO schedules (id, name, workflow, inputs, kind, spec, timezone, begins_at, ends_at, jitter_s, misfire, misfire_most, grace_s,
                       overlap, window_id, paused, due_at, start_at, owner, owner_role, created_by, created_at, modified_at)
VALUES (:id, :name, :workflow, :inputs, :kind, :spec, :timezone, :begins_at, :ends_at, :jitter_s, :misfire, :misfire_most, :grace_s,
        :overlap, :window_id, :paused, :due_at, :start_at, :owner, :owner_role, :owner, :now, :now)

-- name: schedule_update
UPDATE schedules SET version = CASE WHEN version = CAST(:version AS bigint) THEN version + 1 END, name = :name, inputs = :inputs,
  kind = :kind, spec = :spec, timezone = :timezone, begins_at = CAST(:begins_at AS bigint), ends_at = CAST(:ends_at AS bigint),
  jitter_s = :jitter_s, misfire = :misfire, misfire_most = :misfire_most, grace_s = :grace_s, overlap = :overlap,
  window_id = CAST(:window_id AS text), paused = :paused, due_at = CAST(:due_at AS bigint), start_at = CAST(:start_at AS bigint),
  owner = :owner, owner_role = :owner_role, modified_at = :now
WHERE id = :id

-- name: schedule_delete
DELETE FROM schedules WHERE id = :id

-- name: schedule_default_mark
-- Made once: a plain insert, so that of two daemons one makes it, and what an operator deletes stays deleted.
INSERT INTO settings (name, value, changed_by, changed_at) VALUES (:name, :value, :actor, :now)

-- name: schedule_due
SELECT s.id, s.due_at FROM schedules s WHERE s.paused = 0 AND s.start_at IS NOT NULL AND s.start_at <= lp_now()
ORDER BY s.start_at LIMIT 100

-- name: schedule_soonest
SELECT min(s.start_at) AS at, lp_now() AS now FROM schedules s WHERE s.paused = 0 AND s.start_at IS NOT NULL

-- name: schedule_turn
-- Another scheduler, or an operator, was quicker: the version turns null, and the unit fails.
UPDATE schedules SET version = CASE WHEN version = CAST(:version AS bigint) THEN version + 1 END,
  due_at = CAST(:due_at AS bigint), start_at = CAST(:start_at AS bigint)
WHERE id = :id

-- name: schedule_shelve
-- It cannot be read: looked at again in an hour, or when somebody changes it.
UPDATE schedules SET start_at = lp_now() + 3600000000 WHERE id = :id

-- name: schedule_run_insert
INSERT INTO schedule_runs (schedule_id, due_at, at, outcome, process_id, reason, scheduler)
VALUES (:id, :due, :now, :outcome, :process, :reason, :scheduler)

-- name: schedule_runs
SELECT r.due_at, r.at, r.outcome, r.process_id, r.reason, r.scheduler, p.status
FROM schedule_runs r LEFT JOIN processes p ON p.id = r.process_id
WHERE r.schedule_id = :id AND r.due_at < CAST(:before AS bigint)
ORDER BY r.due_at DESC LIMIT CAST(:limit AS bigint)

-- name: schedule_at_work
-- Only what goes on by itself stands in the way of the next run: one that failed or waits for a person does not (W18).
SELECT p.id FROM schedule_runs r, processes p
WHERE r.schedule_id = :id AND p.id = r.process_id AND p.status IN ('created', 'running', 'resumed', 'waiting', 'awaiting_callback')
LIMIT 1
