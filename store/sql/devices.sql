-- Devices: plans, objects that are ours, modes, stops, cache and evidence.

-- name: plan_add
INSERT INTO plans (hash, doc, operations, bytes, created_at) VALUES (:hash, :doc, :operations, :bytes, :now)
ON CONFLICT (hash) DO UPDATE SET created_at = excluded.created_at

-- name: plan_operation_add
INSERT INTO plan_operations (hash, n, doc) VALUES (:hash, :n, :doc) ON CONFLICT (hash, n) DO NOTHING

-- name: plan_get
SELECT doc, operations, bytes FROM plans WHERE hash = :hash

-- name: plan_operation_get
SELECT doc FROM plan_operations WHERE hash = :hash AND n = :n

-- name: plan_operations
SELECT n, doc FROM plan_operations WHERE hash = :hash AND n >= :from ORDER BY n LIMIT CAST(:most AS bigint)

-- name: process_plan_add
INSERT INTO process_plans (process_id, n, hash, begin_at, status, created_at)
VALUES (:process, (SELECT COALESCE(MAX(p.n), 0) + 1 FROM process_plans p WHERE p.process_id = :process), :hash, :begin, :status, :now)

-- name: process_plans
SELECT n, hash, begin_at, status, created_at FROM process_plans WHERE process_id = :process ORDER BY n

-- name: process_plans_drop
DELETE FROM process_plans WHERE process_id = :process

-- name: plan_approve
INSERT INTO plan_approvals (process_id, hash, actor, comment, at) VALUES (:process, :hash, :actor, CAST(:comment AS text), :now)
ON CONFLICT (process_id, hash) DO UPDATE SET actor = excluded.actor, comment = excluded.comment, at = excluded.at

-- name: plan_approvals
SELECT hash, actor, comment, at FROM plan_approvals WHERE process_id = :process ORDER BY at, hash

-- name: plan_applied_add
INSERT INTO applied_operations (process_id, step_key, op_id, element_id, changed, report, at)
VALUES (:process, :key, :op, :element, :changed, :report, :now)
ON CONFLICT (process_id, step_key) DO UPDATE SET op_id = excluded.op_id, element_id = excluded.element_id,
  changed = excluded.changed, report = excluded.report, at = excluded.at

-- name: plan_applied
SELECT step_key, op_id, element_id, changed, report, at FROM applied_operations WHERE process_id = :process ORDER BY at, step_key

-- name: plan_applied_one
SELECT step_key, op_id, element_id, changed, report, at FROM applied_operations
WHERE process_id = :process AND element_id = :element AND op_id = :op ORDER BY at DESC, step_key LIMIT 1

-- What is held stays held while it is planned anew.
-- name: object_plan
INSERT INTO device_objects (element_id, intent_id, subscription_id, doc, state, process_id, at)
VALUES (:element, :intent, :subscription, :doc, 'planned', :process, :now)
ON CONFLICT (element_id, intent_id, subscription_id) DO UPDATE SET doc = excluded.doc, at = excluded.at

-- name: object_hold
INSERT INTO device_objects (element_id, intent_id, subscription_id, doc, state, process_id, at)
VALUES (:element, :intent, :subscription, :doc, 'held', :process, :now)
ON CONFLICT (element_id, intent_id, subscription_id)
DO UPDATE SET doc = excluded.doc, state = 'held', process_id = excluded.process_id, at = excluded.at

-- name: object_drop
DELETE FROM device_objects WHERE element_id = :element AND intent_id = :intent AND subscription_id = :subscription

-- name: objects_unplan
DELETE FROM device_objects WHERE subscription_id = :subscription AND process_id = :process

-- name: objects_of
SELECT element_id, intent_id, doc, state FROM device_objects WHERE subscription_id = :subscription ORDER BY element_id, intent_id

-- name: objects_on
SELECT intent_id, subscription_id, doc, state, at FROM device_objects WHERE element_id = :element ORDER BY intent_id, subscription_id

-- name: object_holders
SELECT o.subscription_id, s.description, s.status FROM device_objects o JOIN subscriptions s ON s.id = o.subscription_id
WHERE o.element_id = :element AND o.intent_id = :intent AND s.status <> 'terminated' ORDER BY o.subscription_id

-- name: device_see
INSERT INTO devices (element_id, name, site, site_name, driver, seen_at)
VALUES (:element, :name, CAST(:site AS text), CAST(:site_name AS text), CAST(:driver AS text), :now)
ON CONFLICT (element_id) DO UPDATE SET name = excluded.name, site = excluded.site, site_name = excluded.site_name,
  driver = excluded.driver, seen_at = excluded.seen_at

-- name: device_mode
INSERT INTO devices (element_id, name, mode, mode_by, mode_at) VALUES (:element, :name, :mode, :actor, :now)
ON CONFLICT (element_id) DO UPDATE SET mode = excluded.mode, mode_by = excluded.mode_by, mode_at = excluded.mode_at

-- name: device_drift
INSERT INTO devices (element_id, name, drifted_at, drift) VALUES (:element, :name, CAST(:at AS bigint), CAST(:drift AS text))
ON CONFLICT (element_id) DO UPDATE SET drifted_at = excluded.drifted_at, drift = excluded.drift

-- name: device_get
SELECT element_id, name, site, site_name, driver, mode, mode_by, mode_at, drifted_at, drift, seen_at
FROM devices WHERE element_id = :element

-- name: device_list
SELECT s.id AS element_id, COALESCE(d.name, s.description) AS name, s.description, s.status, d.site, d.site_name, d.driver, d.mode,
       d.mode_by, d.mode_at, d.drifted_at, d.drift, d.seen_at
FROM subscriptions s LEFT JOIN devices d ON d.element_id = s.id
WHERE lower(s.product) = 'optical device' AND s.status <> 'terminated' AND s.id > :after
ORDER BY s.id LIMIT CAST(:most AS bigint)

-- By id, by the name it was last seen under, or by a unique value of its own (host name, node name, address).
-- name: device_find
SELECT s.id, s.description, s.product, s.status FROM subscriptions s
WHERE s.id IN (SELECT CAST(:name AS text)
               UNION SELECT d.element_id FROM devices d WHERE d.name = :name
               UNION SELECT k.subscription_id FROM block_keys k
                     WHERE k.scope IN ('device.fqdn', 'device.node_name', 'device.address') AND k.value = :name)
ORDER BY CASE WHEN s.status = 'terminated' THEN 1 ELSE 0 END, s.id LIMIT 2

-- name: device_cache_put
INSERT INTO device_cache (element_id, kind, doc, as_of, process_id) VALUES (:element, :kind, :doc, :as_of, :process)
ON CONFLICT (element_id, kind) DO UPDATE SET doc = excluded.doc, as_of = excluded.as_of, process_id = excluded.process_id

-- name: device_cache_get
SELECT doc, as_of, process_id FROM device_cache WHERE element_id = :element AND kind = :kind

-- name: device_cache_kinds
SELECT kind, as_of, process_id FROM device_cache WHERE element_id = :element ORDER BY kind

-- name: device_cache_drop
DELETE FROM device_cache WHERE element_id = :element

-- name: stop_add
INSERT INTO emergency_stops (scope, target, reason, actor, at) VALUES (:scope, :target, :reason, :actor, :now)
ON CONFLICT (scope, target) DO UPDATE SET reason = excluded.reason, actor = excluded.actor, at = excluded.at

-- name: stop_drop
DELETE FROM emergency_stops WHERE scope = :scope AND target = :target

-- name: stop_list
SELECT e.scope, e.target, e.reason, e.actor, e.at, s.description FROM emergency_stops e
LEFT JOIN subscriptions s ON s.id = e.target ORDER BY e.at, e.scope, e.target

-- name: stop_check
SELECT e.scope, e.target, e.reason, e.actor, e.at, d.mode FROM devices d
LEFT JOIN emergency_stops e ON e.scope = 'everything' OR e.scope = 'element' AND e.target = d.element_id
  OR e.scope = 'site' AND e.target = CAST(:site AS text)
WHERE d.element_id = :element
UNION ALL
SELECT e.scope, e.target, e.reason, e.actor, e.at, NULL FROM emergency_stops e
WHERE NOT EXISTS (SELECT 1 FROM devices d WHERE d.element_id = :element)
  AND (e.scope = 'everything' OR e.scope = 'element' AND e.target = :element OR e.scope = 'site' AND e.target = CAST(:site AS text))
LIMIT 1

-- name: evidence_add
INSERT INTO evidence (process_id, step_key, attempt, n, element_id, protocol, sent, received, outcome, writes, at, took_us)
VALUES (:process, :key, :attempt, :n, :element, :protocol, :sent, CAST(:received AS text), :outcome, :writes, :at, :took)
ON CONFLICT (process_id, step_key, attempt, n) DO UPDATE SET received = excluded.received, outcome = excluded.outcome,
  took_us = excluded.took_us

-- name: evidence_of
SELECT step_key, attempt, n, element_id, protocol, sent, received, outcome, writes, at, took_us FROM evidence
WHERE process_id = :process AND (at > CAST(:at AS bigint) OR at = CAST(:at AS bigint) AND n > CAST(:n AS bigint))
ORDER BY at, n, step_key, attempt LIMIT CAST(:most AS bigint)

-- name: evidence_size
SELECT COUNT(*) AS n, COALESCE(SUM(length(sent) + COALESCE(length(received), 0)), 0) AS bytes FROM evidence WHERE process_id = :process

-- A small table: what is held now.
-- name: session_holders
SELECT name, process_id FROM named_locks WHERE substr(name, 1, length(CAST(:prefix AS text))) = CAST(:prefix AS text)

-- The ports of a device that no subscription holds by the unique values of a scope, in the order of the device.
-- name: ports_free
SELECT p.instance_id, p.doc FROM blocks p
WHERE p.subscription_id = :device AND p.block = 'OpticalDevicePort'
  AND NOT EXISTS (SELECT 1 FROM block_keys k WHERE k.scope = :scope AND k.value = p.instance_id)
ORDER BY p.position

-- name: port_by_name
SELECT p.instance_id, p.doc FROM block_values v JOIN blocks p ON p.instance_id = v.instance_id
WHERE v.name = 'port_name' AND v.value = :port AND v.subscription_id = :device AND p.block = 'OpticalDevicePort'
ORDER BY p.position LIMIT 1
