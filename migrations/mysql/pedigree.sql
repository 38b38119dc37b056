-- Tables of our own, beside ML Metadata's, which never reads them. Every statement does nothing where it is done already.

-- The changes of the graph, in the order of their commits. The newest row is never deleted, so that no position is used again.
CREATE TABLE IF NOT EXISTS PedigreeChange (
    position BIGINT PRIMARY KEY,
    time_since_epoch BIGINT NOT NULL,
    changes LONGBLOB NOT NULL
) ENGINE = InnoDB;

-- Changes that have no position yet.
CREATE TABLE IF NOT EXISTS PedigreeOutbox (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    time_since_epoch BIGINT NOT NULL,
    changes LONGBLOB NOT NULL
) ENGINE = InnoDB;

-- The ids of recorded messages, with what was answered.
CREATE TABLE IF NOT EXISTS PedigreeMessage (
    id VARBINARY(255) PRIMARY KEY,
    time_since_epoch BIGINT NOT NULL,
    answer MEDIUMTEXT NOT NULL,
    INDEX idx_pedigree_message_time (time_since_epoch)
) ENGINE = InnoDB;

-- One row: what tells this database from others, and the lock of who gives positions.
CREATE TABLE IF NOT EXISTS PedigreeStore (
    store_id VARCHAR(36) NOT NULL
) ENGINE = InnoDB;

INSERT INTO PedigreeStore (store_id)
SELECT UUID() FROM (SELECT COUNT(*) AS stores FROM PedigreeStore) AS counted
WHERE stores = 0;
