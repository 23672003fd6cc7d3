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
