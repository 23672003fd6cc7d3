-- A row of the outbox may hold several events of one change (its document is a list then): `seq` is the number of the last of them, so that
-- one row a step is written and numbered.

ALTER TABLE outbox ADD COLUMN events bigint NOT NULL DEFAULT 1;
