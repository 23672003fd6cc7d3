-- What routes are found in (steps/routes.h): devices, ends of fibers, fibers, readings. One statement per table.

-- Equal numbers mean that nothing changed: every save counts a version up, and no subscription is ever deleted.
-- name: route_stamp
SELECT COUNT(*) AS subscriptions, CAST(COALESCE(SUM(s.version), 0) AS bigint) AS versions,
       CAST(COALESCE(SUM(CASE s.status WHEN 'active' THEN 1 ELSE 0 END), 0) AS bigint) AS active
FROM subscriptions s WHERE lower(s.product) IN ('optical device', 'optical fiber')

-- name: route_read_at
SELECT c.element_id, c.kind, c.as_of FROM device_cache c JOIN subscriptions s ON s.id = c.element_id
WHERE c.kind IN ('ports', 'spectrum') AND s.status <> 'terminated' ORDER BY c.element_id, c.kind

-- name: route_devices
SELECT s.id, s.status, b.doc FROM subscriptions s JOIN blocks b ON b.subscription_id = s.id AND b.parent_id IS NULL
WHERE s.product = 'Optical Device' AND s.status <> 'terminated' ORDER BY s.id

-- name: route_ends
SELECT s.id AS fiber_id, r.position, p.instance_id AS port_id, p.subscription_id AS device_id, p.doc
FROM subscriptions s
JOIN blocks b ON b.subscription_id = s.id AND b.parent_id IS NULL
JOIN block_refs r ON r.from_id = b.instance_id AND r.field = 'terminations'
JOIN blocks p ON p.instance_id = r.to_id
WHERE s.product = 'Optical Fiber' AND s.status = 'active' ORDER BY s.id, r.position

-- name: route_fibers
SELECT s.id, b.doc FROM subscriptions s JOIN blocks b ON b.subscription_id = s.id AND b.parent_id IS NULL
WHERE s.product = 'Optical Fiber' AND s.status = 'active' ORDER BY s.id

-- One fiber with its ends, whatever its status.
-- name: route_fiber
SELECT s.id, s.status, s.description, r.position, p.instance_id AS port_id, p.subscription_id AS device_id, d.description AS device, p.doc
FROM subscriptions s
JOIN blocks b ON b.subscription_id = s.id AND b.parent_id IS NULL
JOIN block_refs r ON r.from_id = b.instance_id AND r.field = 'terminations'
JOIN blocks p ON p.instance_id = r.to_id
JOIN subscriptions d ON d.id = p.subscription_id
WHERE s.id = :id AND s.product = 'Optical Fiber' ORDER BY r.position

-- The fibers that end at a device.
-- name: route_fibers_at
SELECT DISTINCT s.id, s.description FROM blocks p
JOIN block_refs r ON r.to_id = p.instance_id AND r.field = 'terminations'
JOIN blocks b ON b.instance_id = r.from_id
JOIN subscriptions s ON s.id = b.subscription_id
WHERE p.subscription_id = :device AND s.product = 'Optical Fiber' AND s.status <> 'terminated' ORDER BY s.description, s.id

-- name: route_port
SELECT b.instance_id AS port_id, b.subscription_id AS device_id, b.doc FROM blocks b
JOIN subscriptions s ON s.id = b.subscription_id
WHERE b.instance_id = :id AND b.block = 'OpticalDevicePort' AND s.status <> 'terminated'

-- The fiber at a port.
-- name: route_at_port
SELECT s.id FROM block_refs r JOIN blocks b ON b.instance_id = r.from_id JOIN subscriptions s ON s.id = b.subscription_id
WHERE r.to_id = :port AND r.field = 'terminations' AND s.product = 'Optical Fiber' AND s.status = 'active' ORDER BY s.id LIMIT 1

-- name: route_readings
SELECT c.element_id, c.doc, c.as_of FROM device_cache c JOIN subscriptions s ON s.id = c.element_id
WHERE c.kind = 'spectrum' AND s.status <> 'terminated' ORDER BY c.element_id

-- What a device last said of its light; doc NULL: it was never asked.
-- name: route_reading
SELECT c.doc, COALESCE(c.as_of, 0) AS as_of, b.doc AS device FROM blocks b
LEFT JOIN device_cache c ON c.element_id = b.subscription_id AND c.kind = 'spectrum'
WHERE b.subscription_id = :device AND b.parent_id IS NULL

-- The patch cord at a port that ends at another port of the same device.
-- name: route_inside
SELECT s.id FROM block_refs r
JOIN blocks b ON b.instance_id = r.from_id JOIN subscriptions s ON s.id = b.subscription_id
JOIN blocks p ON p.instance_id = r.to_id
JOIN block_refs f ON f.from_id = r.from_id AND f.field = 'terminations' AND f.position <> r.position
JOIN blocks q ON q.instance_id = f.to_id
WHERE r.to_id = :port AND r.field = 'terminations' AND s.product = 'Optical Fiber' AND s.status = 'active'
  AND q.subscription_id = p.subscription_id ORDER BY s.id LIMIT 1

-- Which fibers a subscription has light on.
-- name: route_fibers_of
SELECT DISTINCT fiber_id FROM spectrum_claims WHERE subscription_id = :id ORDER BY fiber_id

-- The block behind a fiber's subscription, which documents refer to.
-- name: route_block
SELECT b.instance_id, b.doc FROM blocks b WHERE b.subscription_id = :id AND b.parent_id IS NULL

-- name: route_port_named
SELECT v.instance_id FROM block_values v JOIN blocks b ON b.instance_id = v.instance_id
WHERE v.name = 'port_name' AND v.value = :port AND v.subscription_id = :device AND b.block = 'OpticalDevicePort'
