-- Tables of our own, beside ML Metadata's, which never reads them. Every statement does nothing where it is done already.

-- The changes of the graph, in the order of their commits. The newest row is never deleted, so that no position is used again.
CREATE TABLE IF NOT EXISTS PedigreeChange (
    position BIGINT PRIMARY KEY,
    time_since_epoch BIGINT NOT NULL,
    changes BYTEA NOT NULL
);

-- Changes that have no position yet.
CREATE TABLE IF NOT EXISTS PedigreeOutbox (
    id BIGSERIAL PRIMARY KEY,
    time_since_epoch BIGINT NOT NULL,
    changes BYTEA NOT NULL
);

-- The ids of recorded messages, with what was answered.
CREATE TABLE IF NOT EXISTS PedigreeMessage (
    id TEXT PRIMARY KEY,
    time_since_epoch BIGINT NOT NULL,
    answer TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_pedigree_message_time ON PedigreeMessage (time_since_epoch);

-- One row: what tells this database from others, and the lock of who gives positions.
CREATE TABLE IF NOT EXISTS PedigreeStore (
    store_id VARCHAR(36) NOT NULL
);

INSERT INTO PedigreeStore (store_id)
SELECT gen_random_uuid()
WHERE NOT EXISTS (SELECT 1 FROM PedigreeStore);
