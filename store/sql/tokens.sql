-- name: token_insert
INSERT INTO tokens (id, name, hash, role, created_by, created_at, expires_at)
VALUES (:id, :name, :hash, :role, :created_by, :created_at, :expires_at);

-- name: token_list
SELECT id, name, role, created_by, created_at, expires_at, revoked_at, used_at FROM tokens ORDER BY created_at, id;

-- name: token_find
SELECT id, name, role, created_by, created_at, expires_at, revoked_at, used_at FROM tokens WHERE hash = :hash;

-- name: token_get
SELECT id, name, role, created_by, created_at, expires_at, revoked_at, used_at FROM tokens WHERE id = :id;

-- name: token_revoke
UPDATE tokens SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- name: token_touch
-- At most once a minute, whoever asks: the row stays quiet under load.
UPDATE tokens SET used_at = CAST(:now AS bigint) WHERE id = :id AND (used_at IS NULL OR used_at < CAST(:now AS bigint) - 60000000);
