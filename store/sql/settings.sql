-- name: store_now
SELECT lp_now() AS now;

-- name: store_touch
-- A write that changes nothing: proves that the database takes writes.
UPDATE settings SET value = value WHERE name = '';

-- name: setting_get
SELECT name, value, changed_by, changed_at FROM settings WHERE name = :name;

-- name: setting_list
SELECT name, value, changed_by, changed_at FROM settings ORDER BY name;

-- name: setting_set
INSERT INTO settings (name, value, changed_by, changed_at) VALUES (:name, :value, :actor, :now)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by, changed_at = excluded.changed_at;

-- name: setting_add
-- First come, first served: the value that was there stays.
INSERT INTO settings (name, value, changed_by, changed_at) VALUES (:name, :value, :actor, :now)
ON CONFLICT (name) DO NOTHING;

-- name: setting_delete
DELETE FROM settings WHERE name = :name;
