-- Retention. Every statement looks at no more than :most of the oldest rows, so that each unit is short whatever is stored.
-- "retention_find_..." walk in order of age from (:at, :id) on; "retention_drop_..." delete by key.

-- name: retention_find_tasks
SELECT id, created_at AS at FROM processes
WHERE is_task = 1 AND status IN ('completed', 'aborted') AND created_at < CAST(:cutoff AS bigint)
  AND (created_at, id) > (CAST(:at AS bigint), CAST(:id AS text)) AND modified_at < CAST(:cutoff AS bigint)
  AND NOT EXISTS (SELECT 1 FROM process_locks k WHERE k.process_id = processes.id)
ORDER BY created_at, id LIMIT CAST(:most AS bigint);

-- name: retention_find_steps
SELECT id, created_at AS at FROM processes
WHERE status IN ('completed', 'aborted') AND created_at < CAST(:cutoff AS bigint)
  AND (created_at, id) > (CAST(:at AS bigint), CAST(:id AS text)) AND modified_at < CAST(:cutoff AS bigint)
  AND EXISTS (SELECT 1 FROM process_steps s WHERE s.process_id = processes.id)
ORDER BY created_at, id LIMIT CAST(:most AS bigint);

-- name: retention_drop_steps
DELETE FROM process_steps WHERE process_id = :id;
-- name: retention_drop_attempts
DELETE FROM step_attempts WHERE process_id = :id;
-- name: retention_drop_compensations
DELETE FROM step_compensations WHERE process_id = :id;
-- name: retention_drop_inputs
DELETE FROM process_inputs WHERE process_id = :id;
-- name: retention_drop_requests
DELETE FROM process_requests WHERE process_id = :id;
-- name: retention_drop_links
DELETE FROM process_subscriptions WHERE process_id = :id;
-- name: retention_drop_idempotency
DELETE FROM idempotency WHERE process_id = :id;
-- name: retention_drop_process
DELETE FROM processes WHERE id = :id AND is_task = 1 AND status IN ('completed', 'aborted');

-- name: retention_drop_plans
DELETE FROM process_plans WHERE process_id = :id;
-- name: retention_drop_approvals
DELETE FROM plan_approvals WHERE process_id = :id;
-- name: retention_drop_applied
DELETE FROM applied_operations WHERE process_id = :id;
-- name: retention_drop_evidence
DELETE FROM evidence WHERE process_id = :id;

-- name: retention_evidence
DELETE FROM evidence WHERE (process_id, step_key, attempt, n) IN (
  SELECT process_id, step_key, attempt, n FROM evidence WHERE at < CAST(:cutoff AS bigint) ORDER BY at LIMIT CAST(:most AS bigint));

-- A plan goes when no process has it any more; one that is made anew is young again.
-- name: retention_find_plans
SELECT hash AS id, created_at AS at FROM plans
WHERE created_at < CAST(:cutoff AS bigint) AND (created_at, hash) > (CAST(:at AS bigint), CAST(:id AS text))
  AND NOT EXISTS (SELECT 1 FROM process_plans p WHERE p.hash = plans.hash)
ORDER BY created_at, hash LIMIT CAST(:most AS bigint);
-- name: retention_drop_operations
DELETE FROM plan_operations WHERE hash = :id AND NOT EXISTS (SELECT 1 FROM process_plans p WHERE p.hash = :id);
-- name: retention_drop_plan
DELETE FROM plans WHERE hash = :id AND NOT EXISTS (SELECT 1 FROM process_plans p WHERE p.hash = :id);

-- name: retention_events
DELETE FROM outbox WHERE id IN (
  SELECT o.id FROM (SELECT id, seq, created_at FROM outbox ORDER BY id LIMIT CAST(:most AS bigint)) AS o
  WHERE o.seq IS NOT NULL AND o.created_at < CAST(:cutoff AS bigint));

-- name: retention_keys
DELETE FROM idempotency WHERE (actor, key) IN (
  SELECT actor, key FROM idempotency WHERE created_at < CAST(:cutoff AS bigint) ORDER BY created_at LIMIT CAST(:most AS bigint));

-- One that crashed was never retired; should it only have slept, it registers again.
-- name: retention_executors
DELETE FROM executors WHERE incarnation IN (
  SELECT incarnation FROM executors WHERE COALESCE(retired_at, expires_at) < CAST(:cutoff AS bigint)
  ORDER BY COALESCE(retired_at, expires_at) LIMIT CAST(:most AS bigint));

-- A chain goes as a whole, when its newest row is old enough and nobody will append to it: what is left can still be proved.
-- name: retention_find_chains
SELECT a.chain AS id, a.at AS at FROM audit a
WHERE a.at < CAST(:cutoff AS bigint) AND a.at >= CAST(:at AS bigint) AND (a.at > CAST(:at AS bigint) OR a.chain > CAST(:id AS text))
  AND NOT EXISTS (SELECT 1 FROM audit b WHERE b.chain = a.chain AND b.seq > a.seq)
  AND NOT EXISTS (SELECT 1 FROM processes p WHERE p.id = a.chain AND p.status NOT IN ('completed', 'aborted'))
  AND NOT EXISTS (SELECT 1 FROM executors e WHERE 'system:' || e.incarnation = a.chain AND e.retired_at IS NULL
                  AND e.expires_at > lp_now())
ORDER BY a.at, a.chain LIMIT CAST(:most AS bigint);

-- name: retention_drop_chain
DELETE FROM audit WHERE chain = :id;

-- name: retention_seals
DELETE FROM audit_seals WHERE n IN (
  SELECT o.n FROM (SELECT n, at FROM audit_seals ORDER BY n LIMIT CAST(:most AS bigint)) AS o
  WHERE o.at < CAST(:cutoff AS bigint) AND o.n < (SELECT max(n) FROM audit_seals));

-- A version is dropped so long after it was superseded, or the block removed: a version of the subscription that is still kept finds
-- every block it had.
-- name: retention_blocks
DELETE FROM block_history WHERE (instance_id, version) IN (
  SELECT h.instance_id, h.version FROM block_history h
  WHERE h.at < CAST(:cutoff AS bigint)
    AND (h.doc IS NULL OR EXISTS (SELECT 1 FROM block_history n WHERE n.instance_id = h.instance_id AND n.version > h.version
      AND n.at < CAST(:cutoff AS bigint)))
  ORDER BY h.at LIMIT CAST(:most AS bigint));

-- name: retention_headers
DELETE FROM subscription_history WHERE (subscription_id, version) IN (
  SELECT h.subscription_id, h.version FROM subscription_history h
  WHERE h.at < CAST(:cutoff AS bigint)
    AND EXISTS (SELECT 1 FROM subscription_history n WHERE n.subscription_id = h.subscription_id AND n.version > h.version
      AND n.at < CAST(:cutoff AS bigint))
  ORDER BY h.at LIMIT CAST(:most AS bigint));

-- name: retention_find_imports
SELECT source, key, count(*) AS kept FROM import_rows
WHERE (source, key) > (CAST(:source AS text), CAST(:key AS text))
GROUP BY source, key ORDER BY source, key LIMIT CAST(:most AS bigint);

-- name: retention_drop_imports
DELETE FROM import_rows WHERE source = :source AND key = :key AND imported_at < (
  SELECT min(n.imported_at) FROM (
    SELECT imported_at FROM import_rows WHERE source = :source AND key = :key ORDER BY imported_at DESC LIMIT CAST(:runs AS bigint)) AS n);

-- name: retention_runs
DELETE FROM schedule_runs WHERE (schedule_id, due_at) IN (
  SELECT r.schedule_id, r.due_at FROM schedule_runs r WHERE r.at < CAST(:cutoff AS bigint) ORDER BY r.at LIMIT CAST(:most AS bigint))

-- name: retention_schedules
-- No due time comes any more, and what became of the last one is forgotten.
DELETE FROM schedules WHERE id IN (
  SELECT s.id FROM schedules s WHERE s.due_at IS NULL AND s.modified_at < CAST(:cutoff AS bigint)
    AND NOT EXISTS (SELECT 1 FROM schedule_runs r WHERE r.schedule_id = s.id) LIMIT CAST(:most AS bigint))
