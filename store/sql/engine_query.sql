-- Read models of processes.

-- name: query_process
SELECT p.id, p.workflow_id, p.workflow, p.is_task, p.created_by, p.failed_reason, p.created_at, p.status, p.last_step, p.last_key,
       p.assignee, p.modified_at, p.target, p.note, p.ticket, p.reason, p.parent_id, p.wait_kind, p.wait_reason, p.wake_at,
       p.correlation_id, p.definition_hash, p.dry_run
FROM processes p WHERE p.id = :id

-- name: query_steps
SELECT seq, step_id, key, title, status, delta, error, retries, created_by, started_at, completed_at
FROM process_steps WHERE process_id = :id ORDER BY seq

-- name: query_initial
SELECT doc FROM process_inputs WHERE process_id = :id AND step_key = '' AND n = 0 AND kind = 'initial'

-- name: query_status_counts
SELECT is_task, status, COUNT(*) AS n FROM processes GROUP BY is_task, status

-- name: query_attempts
SELECT step_key, n, epoch, executor, started_at, ended_at, outcome, error FROM step_attempts
WHERE process_id = :id ORDER BY started_at, step_key, n LIMIT 10000

-- name: query_inputs
SELECT step_key, n, kind, doc, actor, created_at, consumed_at FROM process_inputs
WHERE process_id = :id ORDER BY created_at, step_key, n, kind LIMIT 1000

-- name: query_requests
SELECT id, kind, actor, ticket, reason, created_at FROM process_requests WHERE process_id = :id ORDER BY created_at LIMIT 1000

-- name: query_children
SELECT id, parent_step, parent_item, workflow, status, failed_reason, created_at, modified_at FROM processes
WHERE parent_id = :id ORDER BY parent_step, created_at, id LIMIT 10000

-- name: query_locks
SELECT l.subscription_id, l.mode, l.taken_at, s.description FROM process_locks l
LEFT JOIN subscriptions s ON s.id = l.subscription_id WHERE l.process_id = :id ORDER BY l.subscription_id

-- name: query_named_locks
SELECT name, taken_at FROM named_locks WHERE process_id = :id ORDER BY name

-- name: query_todo
SELECT p.id, p.workflow_id, p.workflow, p.is_task, p.created_by, p.failed_reason, p.created_at, p.status, p.last_step, p.last_key,
       p.assignee, p.modified_at, p.target, p.note, p.ticket, p.reason, p.parent_id, p.wait_kind, p.wait_reason, p.wake_at,
       p.correlation_id, p.definition_hash, p.dry_run
FROM processes p
WHERE p.status NOT IN ('completed', 'aborted') AND p.status IN ('suspended', 'failed', 'api_unavailable', 'inconsistent_data')
ORDER BY p.is_task, p.priority, p.created_at, p.id LIMIT 500

-- name: query_todo_drift
SELECT s.id, s.description, s.product, s.modified_at FROM subscriptions s
WHERE s.insync = 0 AND s.status IN ('active', 'provisioning')
  AND NOT EXISTS (SELECT 1 FROM process_subscriptions l JOIN processes p ON p.id = l.process_id
                  WHERE l.subscription_id = s.id AND p.status NOT IN ('completed', 'aborted'))
ORDER BY s.created_at, s.id LIMIT 500

-- What is under way, by the steps it was begun with.
-- name: query_definitions
SELECT g.workflow, g.definition_hash, g.n, d.doc FROM (
  SELECT p.workflow, p.definition_hash, count(*) AS n FROM processes p
  WHERE p.status NOT IN ('completed', 'aborted') GROUP BY p.workflow, p.definition_hash) g
LEFT JOIN definitions d ON d.hash = g.definition_hash
ORDER BY g.workflow, g.definition_hash

-- name: query_of_definition
SELECT p.id, p.workflow, p.definition_hash, p.status, p.last_key, p.assignee FROM processes p
WHERE p.workflow = :workflow AND p.definition_hash = :hash AND p.status NOT IN ('completed', 'aborted')
  AND (CAST(:id AS text) = '' OR p.id = CAST(:id AS text))
ORDER BY p.created_at, p.id LIMIT CAST(:limit AS bigint)

-- name: query_definition_of
SELECT d.hash, d.doc FROM processes p JOIN definitions d ON d.hash = p.definition_hash WHERE p.id = :id

-- Steps that were begun and left no row: nobody has written down what they did outside.
-- name: query_begun_keys
SELECT DISTINCT a.step_key AS key, 'running' AS status FROM step_attempts a
WHERE a.process_id = :id AND NOT EXISTS (
  SELECT 1 FROM process_steps s WHERE s.process_id = a.process_id AND s.key = a.step_key)

-- name: query_step_keys
SELECT key, status FROM process_steps WHERE process_id = :id ORDER BY seq
