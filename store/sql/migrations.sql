-- name: migration_list
SELECT n, name, checksum, applied_at FROM schema_migrations ORDER BY n;

-- name: migration_add
INSERT INTO schema_migrations (n, name, checksum, applied_at) VALUES (:n, :name, :checksum, lp_now());

-- name: migration_tables sqlite
SELECT count(*) AS tables, COALESCE(sum(CASE WHEN name = 'schema_migrations' THEN 1 ELSE 0 END), 0) AS ours
FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%';
-- name: migration_tables postgres
SELECT count(*) AS tables, COALESCE(sum(CASE WHEN tablename = 'schema_migrations' THEN 1 ELSE 0 END), 0) AS ours
FROM pg_catalog.pg_tables WHERE schemaname = current_schema();
