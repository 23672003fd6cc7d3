-- Claims of light (store/claims.h). Ranges are half-open and disjoint on each fiber.

-- Whose turn it is: the row stays his until the transaction ends.
-- name: claim_turn
INSERT INTO claim_turns (name, turn) VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET turn = claim_turns.turn + 1

-- name: claim_add
INSERT INTO spectrum_claims (fiber_id, low_mhz, high_mhz, holder, subscription_id, process_id, slot, state, created_at)
VALUES (:fiber, :low, :high, :holder, :subscription, :process, :slot, :state, :at)

-- What shares spectrum with a range of a fiber, whoever has it.
-- name: claims_near
SELECT c.fiber_id, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, c.process_id, c.slot, c.state, c.created_at FROM spectrum_claims c
WHERE c.fiber_id = :fiber AND c.low_mhz < :high AND c.high_mhz > :low ORDER BY c.low_mhz

-- name: claims_held
SELECT c.fiber_id, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, c.process_id, c.slot, c.state, c.created_at FROM spectrum_claims c
WHERE c.holder = :holder ORDER BY c.fiber_id, c.low_mhz

-- name: claim_names
SELECT (SELECT f.description FROM subscriptions f WHERE f.id = :fiber) AS fiber,
       (SELECT s.description FROM subscriptions s WHERE s.id = :subscription) AS subscription

-- name: claims_drop_holder
DELETE FROM spectrum_claims WHERE holder = :holder

-- name: claims_drop_subscription
DELETE FROM spectrum_claims WHERE subscription_id = :subscription

-- What is lit was settled: the process that claimed it is over with it.
-- name: claims_drop_process
DELETE FROM spectrum_claims WHERE process_id = :process AND state = 'reserved'
  AND (CAST(:holder AS text) IS NULL OR holder = CAST(:holder AS text))

-- name: claims_mark
UPDATE spectrum_claims SET state = :state WHERE holder = :holder

-- name: claims_transfer
UPDATE spectrum_claims SET subscription_id = :subscription WHERE holder = :holder

-- Everything, for graphs.
-- name: claims_all
SELECT fiber_id, low_mhz, high_mhz, holder, subscription_id, state FROM spectrum_claims ORDER BY fiber_id, low_mhz

-- name: claims_by_fiber
SELECT c.fiber_id, f.description AS fiber, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, s.description AS subscription,
       c.process_id, c.slot, c.state, c.created_at
FROM spectrum_claims c LEFT JOIN subscriptions f ON f.id = c.fiber_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
WHERE c.fiber_id = :id ORDER BY c.fiber_id, c.low_mhz LIMIT 100000

-- name: claims_by_holder
SELECT c.fiber_id, f.description AS fiber, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, s.description AS subscription,
       c.process_id, c.slot, c.state, c.created_at
FROM spectrum_claims c LEFT JOIN subscriptions f ON f.id = c.fiber_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
WHERE c.holder = :id ORDER BY c.fiber_id, c.low_mhz LIMIT 100000

-- name: claims_by_subscription
SELECT c.fiber_id, f.description AS fiber, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, s.description AS subscription,
       c.process_id, c.slot, c.state, c.created_at
FROM spectrum_claims c LEFT JOIN subscriptions f ON f.id = c.fiber_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
WHERE c.subscription_id = :id ORDER BY c.fiber_id, c.low_mhz LIMIT 100000

-- name: claims_by_process
SELECT c.fiber_id, f.description AS fiber, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, s.description AS subscription,
       c.process_id, c.slot, c.state, c.created_at
FROM spectrum_claims c LEFT JOIN subscriptions f ON f.id = c.fiber_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
WHERE c.process_id = :id ORDER BY c.fiber_id, c.low_mhz LIMIT 100000

-- name: claims_overlapping
SELECT c.fiber_id, f.description AS fiber, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, s.description AS subscription,
       c.process_id, c.slot, c.state, c.created_at
FROM spectrum_claims c LEFT JOIN subscriptions f ON f.id = c.fiber_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
WHERE c.fiber_id = :fiber AND c.low_mhz < :high AND c.high_mhz > :low AND (CAST(:holder AS text) IS NULL OR c.holder <> CAST(:holder AS text))
ORDER BY c.low_mhz

-- Claims that nothing explains, while nobody works on their subscription. What a block of a living subscription holds is
-- explained: the process that reserved it may have lit it before it was aborted.
-- name: claims_leftovers
SELECT c.fiber_id, f.description AS fiber, c.low_mhz, c.high_mhz, c.holder, c.subscription_id, s.description AS subscription,
       c.process_id, c.slot, c.state, c.created_at,
       CASE WHEN s.id IS NULL THEN 'no such subscription' WHEN s.status = 'terminated' THEN 'terminated' ELSE 'process ended' END AS why
FROM spectrum_claims c LEFT JOIN subscriptions f ON f.id = c.fiber_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
LEFT JOIN processes p ON p.id = c.process_id
WHERE (s.id IS NULL OR s.status = 'terminated' OR c.state = 'reserved' AND p.status = 'aborted')
  AND NOT EXISTS (SELECT 1 FROM blocks b JOIN subscriptions o ON o.id = b.subscription_id WHERE b.instance_id = c.holder AND o.status <> 'terminated')
  AND NOT EXISTS (SELECT 1 FROM process_locks l WHERE l.subscription_id = c.subscription_id)
  AND NOT EXISTS (SELECT 1 FROM processes q WHERE q.id = c.process_id AND q.status NOT IN ('completed', 'aborted'))
ORDER BY c.subscription_id, c.fiber_id, c.low_mhz LIMIT CAST(:most AS bigint)

-- name: doc_claims
SELECT c.subscription_id AS id, CAST(c.low_mhz AS text) || '-' || CAST(c.high_mhz AS text) || ' MHz on fiber ' || COALESCE(f.description, c.fiber_id)
       || CASE WHEN s.id IS NULL THEN ': no such subscription' WHEN s.status = 'terminated' THEN ': terminated' ELSE ': its process was aborted' END AS what
FROM spectrum_claims c LEFT JOIN subscriptions f ON f.id = c.fiber_id LEFT JOIN subscriptions s ON s.id = c.subscription_id
LEFT JOIN processes p ON p.id = c.process_id
WHERE (s.id IS NULL OR s.status = 'terminated' OR c.state = 'reserved' AND p.status = 'aborted')
  AND NOT EXISTS (SELECT 1 FROM blocks b JOIN subscriptions o ON o.id = b.subscription_id WHERE b.instance_id = c.holder AND o.status <> 'terminated')
  AND NOT EXISTS (SELECT 1 FROM process_locks l WHERE l.subscription_id = c.subscription_id)
  AND NOT EXISTS (SELECT 1 FROM processes q WHERE q.id = c.process_id AND q.status NOT IN ('completed', 'aborted'))
ORDER BY c.subscription_id, c.fiber_id, c.low_mhz LIMIT CAST(:most AS bigint)
-- name: doc_claims_fix
DELETE FROM spectrum_claims WHERE (
    NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = spectrum_claims.subscription_id AND s.status <> 'terminated')
    OR state = 'reserved' AND EXISTS (SELECT 1 FROM processes p WHERE p.id = spectrum_claims.process_id AND p.status = 'aborted'))
  AND NOT EXISTS (SELECT 1 FROM blocks b JOIN subscriptions o ON o.id = b.subscription_id
                  WHERE b.instance_id = spectrum_claims.holder AND o.status <> 'terminated')
  AND NOT EXISTS (SELECT 1 FROM process_locks l WHERE l.subscription_id = spectrum_claims.subscription_id)
  AND NOT EXISTS (SELECT 1 FROM processes q WHERE q.id = spectrum_claims.process_id AND q.status NOT IN ('completed', 'aborted'))

-- Reserved by a process that was aborted, and held by a block of a living subscription: kept, and said.
-- name: doc_claims_kept
SELECT c.subscription_id AS id, COALESCE(o.description, '') || ': ' || CAST(c.low_mhz AS text) || '-' || CAST(c.high_mhz AS text) || ' MHz on fiber '
       || COALESCE(f.description, c.fiber_id) AS what
FROM spectrum_claims c JOIN processes p ON p.id = c.process_id JOIN blocks b ON b.instance_id = c.holder
JOIN subscriptions o ON o.id = b.subscription_id LEFT JOIN subscriptions f ON f.id = c.fiber_id
WHERE c.state = 'reserved' AND p.status = 'aborted' AND o.status <> 'terminated'
  AND NOT EXISTS (SELECT 1 FROM process_locks l WHERE l.subscription_id = c.subscription_id)
ORDER BY c.subscription_id, c.fiber_id, c.low_mhz LIMIT CAST(:most AS bigint)

-- Numbers given out (steps/allocate.h): which of sixteen values are held.
-- name: numbers_keys
SELECT value FROM block_keys WHERE scope = :scope AND value IN (:v0, :v1, :v2, :v3, :v4, :v5, :v6, :v7, :v8, :v9, :v10, :v11, :v12, :v13, :v14, :v15)

-- name: numbers_all
SELECT value FROM block_keys WHERE scope = :scope

-- name: numbers_values
SELECT DISTINCT v.value FROM block_values v JOIN subscriptions s ON s.id = v.subscription_id
WHERE v.name = :scope AND s.status <> 'terminated'
  AND v.value IN (:v0, :v1, :v2, :v3, :v4, :v5, :v6, :v7, :v8, :v9, :v10, :v11, :v12, :v13, :v14, :v15)
