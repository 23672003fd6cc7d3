-- Leases of duties that one daemon has at a time. The database's clock decides.

-- name: lease_take
-- Ours, ended, or (the file is ours alone) anybody's. The epoch rises when it changes hands.
INSERT INTO leases (name, owner, epoch, taken_at, renewed_at, expires_at)
VALUES (:name, :owner, 1, lp_now(), lp_now(), lp_now() + CAST(:lease AS bigint))
ON CONFLICT (name) DO UPDATE SET
  epoch = leases.epoch + CASE WHEN leases.owner = excluded.owner THEN 0 ELSE 1 END,
  taken_at = CASE WHEN leases.owner = excluded.owner THEN leases.taken_at ELSE excluded.taken_at END,
  owner = excluded.owner, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
WHERE leases.owner = excluded.owner OR leases.expires_at <= excluded.renewed_at OR CAST(:force AS bigint) = 1
RETURNING epoch

-- name: lease_fence
-- A stale epoch becomes NULL in a NOT NULL column and fails the unit; the row stays locked until the commit.
UPDATE leases SET epoch = CASE WHEN epoch = CAST(:epoch AS bigint) AND owner = :owner THEN epoch END WHERE name = :name

-- name: lease_release
UPDATE leases SET expires_at = lp_now() WHERE name = :name AND owner = :owner AND epoch = CAST(:epoch AS bigint)

-- name: lease_list
SELECT name, owner, epoch, taken_at, renewed_at, expires_at, lp_now() AS now FROM leases ORDER BY name
