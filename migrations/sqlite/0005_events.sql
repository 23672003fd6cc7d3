-- A row of the outbox may hold several events of one change (its document is a list then): `seq` is the number of the last of them, so that
-- one row a step is written and numbered. Here the row is numbered when it is inserted: there is only one writer.

ALTER TABLE outbox ADD COLUMN events INTEGER NOT NULL DEFAULT 1;
