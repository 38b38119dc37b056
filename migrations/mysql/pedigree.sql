-- Indexes of our own on ML Metadata's tables, and tables of our own beside them. ML Metadata does not notice the ones and never reads
-- the others. Every statement does nothing where it is done already.

-- The contexts of a node.
SET @pedigree_statement = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND index_name = 'idx_pedigree_attribution_artifact'),
    'DO 0',
    'ALTER TABLE Attribution ADD INDEX idx_pedigree_attribution_artifact (artifact_id, context_id)'
);
PREPARE pedigree_statement FROM @pedigree_statement;
EXECUTE pedigree_statement;

SET @pedigree_statement = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND index_name = 'idx_pedigree_association_execution'),
    'DO 0',
    'ALTER TABLE Association ADD INDEX idx_pedigree_association_execution (execution_id, context_id)'
);
PREPARE pedigree_statement FROM @pedigree_statement;
EXECUTE pedigree_statement;

-- The nodes of a type, and those of them with a state, in the order of their ids.
SET @pedigree_statement = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND index_name = 'idx_pedigree_artifact_type'),
    'DO 0',
    'ALTER TABLE Artifact ADD INDEX idx_pedigree_artifact_type (type_id)'
);
PREPARE pedigree_statement FROM @pedigree_statement;
EXECUTE pedigree_statement;

SET @pedigree_statement = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND index_name = 'idx_pedigree_artifact_type_state'),
    'DO 0',
    'ALTER TABLE Artifact ADD INDEX idx_pedigree_artifact_type_state (type_id, state)'
);
PREPARE pedigree_statement FROM @pedigree_statement;
EXECUTE pedigree_statement;

SET @pedigree_statement = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND index_name = 'idx_pedigree_execution_type'),
    'DO 0',
    'ALTER TABLE Execution ADD INDEX idx_pedigree_execution_type (type_id)'
);
PREPARE pedigree_statement FROM @pedigree_statement;
EXECUTE pedigree_statement;

SET @pedigree_statement = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND index_name = 'idx_pedigree_execution_type_state'),
    'DO 0',
    'ALTER TABLE Execution ADD INDEX idx_pedigree_execution_type_state (type_id, last_known_state)'
);
PREPARE pedigree_statement FROM @pedigree_statement;
EXECUTE pedigree_statement;

SET @pedigree_statement = IF(
    EXISTS (SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND index_name = 'idx_pedigree_context_type'),
    'DO 0',
    'ALTER TABLE Context ADD INDEX idx_pedigree_context_type (type_id)'
);
PREPARE pedigree_statement FROM @pedigree_statement;
EXECUTE pedigree_statement;
DEALLOCATE PREPARE pedigree_statement;

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

-- What is too large for the rows of the history, in parts. All parts of a row have the id with which the row begins, and go with it.
CREATE TABLE IF NOT EXISTS PedigreeLargeValue (
    id BINARY(16) NOT NULL,
    part_number BIGINT NOT NULL,
    content MEDIUMBLOB NOT NULL,
    PRIMARY KEY (id, part_number)
) ENGINE = InnoDB;

-- The ids of recorded messages, with what was answered.
CREATE TABLE IF NOT EXISTS PedigreeMessage (
    id VARBINARY(255) PRIMARY KEY,
    time_since_epoch BIGINT NOT NULL,
    answer MEDIUMTEXT NOT NULL,
    INDEX idx_pedigree_message_time (time_since_epoch)
) ENGINE = InnoDB;

-- The versions of datasets that runs wrote: the artifact is the present version from a time on, in microseconds since epoch. Of two
-- at the same time, the greater rank counts. A run that failed has abandoned what it wrote.
CREATE TABLE IF NOT EXISTS PedigreeDatasetWrite (
    dataset_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    microseconds BIGINT NOT NULL,
    tie_rank BIGINT NOT NULL,
    is_abandoned BOOLEAN NOT NULL,
    PRIMARY KEY (dataset_id, execution_id, artifact_id),
    INDEX idx_pedigree_dataset_write_time (dataset_id, microseconds, tie_rank),
    INDEX idx_pedigree_dataset_write_execution (execution_id),
    INDEX idx_pedigree_dataset_write_artifact (artifact_id)
) ENGINE = InnoDB;

-- The versions of datasets that runs read without naming them: those that were present at a time, in microseconds since epoch.
CREATE TABLE IF NOT EXISTS PedigreeDatasetRead (
    dataset_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    unknown_id BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    microseconds BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, execution_id, unknown_id),
    INDEX idx_pedigree_dataset_read_time (dataset_id, microseconds),
    INDEX idx_pedigree_dataset_read_execution (execution_id)
) ENGINE = InnoDB;

-- The contexts that are names of one dataset, which has the id of the oldest of them. A dataset with one name has no row.
CREATE TABLE IF NOT EXISTS PedigreeDatasetName (
    context_id BIGINT NOT NULL PRIMARY KEY,
    dataset_id BIGINT NOT NULL,
    INDEX idx_pedigree_dataset_name_dataset (dataset_id)
) ENGINE = InnoDB;

-- The datasets from which a run made what it wrote, where facets say it: contexts. The input 0 says that it was made from none.
CREATE TABLE IF NOT EXISTS PedigreeRunLineage (
    execution_id BIGINT NOT NULL,
    facet_id BIGINT NOT NULL,
    output_id BIGINT NOT NULL,
    input_id BIGINT NOT NULL,
    PRIMARY KEY (execution_id, facet_id, output_id, input_id)
) ENGINE = InnoDB;

-- Facets that say from which columns others were made: of runs, or of none, which is 0. The output is a context. Facets that say the same
-- share a set of edges.
CREATE TABLE IF NOT EXISTS PedigreeColumnLineage (
    execution_id BIGINT NOT NULL,
    facet_id BIGINT NOT NULL,
    output_id BIGINT NOT NULL,
    set_id BIGINT NOT NULL,
    PRIMARY KEY (execution_id, facet_id, output_id),
    INDEX idx_pedigree_column_lineage_output (output_id),
    INDEX idx_pedigree_column_lineage_set (set_id)
) ENGINE = InnoDB;

-- The edges of each set. The input is a context. An empty output is all columns, an empty input the dataset as a whole.
CREATE TABLE IF NOT EXISTS PedigreeColumnEdge (
    set_id BIGINT NOT NULL,
    edge_number BIGINT NOT NULL,
    output_column VARCHAR(255) NOT NULL,
    input_id BIGINT NOT NULL,
    input_column VARCHAR(255) NOT NULL,
    transformation VARCHAR(255) NOT NULL,
    subtype VARCHAR(255) NOT NULL,
    description TEXT NOT NULL,
    is_masking BOOLEAN NOT NULL,
    PRIMARY KEY (set_id, edge_number),
    INDEX idx_pedigree_column_edge_input (input_id)
) ENGINE = InnoDB;

-- Facets as they were sent, by the SHA-256 of their texts, as hexadecimal digits. A long text has several parts.
CREATE TABLE IF NOT EXISTS PedigreeFacet (
    digest VARBINARY(64) NOT NULL,
    part_number BIGINT NOT NULL,
    content MEDIUMBLOB NOT NULL,
    PRIMARY KEY (digest, part_number)
) ENGINE = InnoDB;

-- The targets to which lineage is sent: what each has got of the history, and the one server that sends to it, which counts its beats.
CREATE TABLE IF NOT EXISTS PedigreeTarget (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    history_cursor VARCHAR(255) NOT NULL,
    sender VARCHAR(36) NOT NULL,
    beats BIGINT NOT NULL
) ENGINE = InnoDB;

-- Experiments of MLflow's clients, by their numbers: contexts.
CREATE TABLE IF NOT EXISTS PedigreeExperiment (
    experiment_id BIGINT PRIMARY KEY,
    context_id BIGINT NOT NULL,
    is_deleted BOOLEAN NOT NULL
) ENGINE = InnoDB;

-- Runs of experiments: executions. The start is in milliseconds since epoch, or 0. What else searches compare is in properties.
CREATE TABLE IF NOT EXISTS PedigreeRun (
    execution_id BIGINT PRIMARY KEY,
    run_id VARBINARY(64) NOT NULL UNIQUE,
    experiment_id BIGINT NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    start_time BIGINT NOT NULL,
    INDEX idx_pedigree_run_start (experiment_id, is_deleted, start_time DESC, run_id)
) ENGINE = InnoDB;

-- The metrics of runs, each with its latest point. The rank of a value is an integer with the same order. Searches of runs follow the
-- indexes, and so a row has the experiment and the start of its run, which never change.
CREATE TABLE IF NOT EXISTS PedigreeMetricSeries (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    execution_id BIGINT NOT NULL,
    metric_key VARBINARY(1000) NOT NULL,
    step BIGINT NOT NULL,
    time_since_epoch BIGINT NOT NULL,
    value_rank BIGINT NOT NULL,
    experiment_id BIGINT NOT NULL,
    start_time BIGINT NOT NULL,
    UNIQUE (execution_id, metric_key),
    INDEX idx_pedigree_metric_series_value (experiment_id, metric_key, value_rank, start_time, execution_id),
    INDEX idx_pedigree_metric_series_start (experiment_id, metric_key, start_time, value_rank, execution_id)
) ENGINE = InnoDB;

-- All points of metrics, in the order in which they are listed.
CREATE TABLE IF NOT EXISTS PedigreeMetricPoint (
    series_id BIGINT NOT NULL,
    time_since_epoch BIGINT NOT NULL,
    step BIGINT NOT NULL,
    value_rank BIGINT NOT NULL,
    PRIMARY KEY (series_id, time_since_epoch, step, value_rank)
) ENGINE = InnoDB;

-- Tags of inputs: of what a run used, and how.
CREATE TABLE IF NOT EXISTS PedigreeInputTag (
    execution_id BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    tag_key VARBINARY(1020) NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (execution_id, artifact_id, tag_key)
) ENGINE = InnoDB;

-- The metrics of logged models, each on each dataset with its latest point; without a dataset, its name and digest are empty. The
-- latest of all datasets is marked.
CREATE TABLE IF NOT EXISTS PedigreeModelMetric (
    artifact_id BIGINT NOT NULL,
    metric_key VARBINARY(1000) NOT NULL,
    dataset_name VARBINARY(1900) NOT NULL,
    dataset_digest VARBINARY(144) NOT NULL,
    execution_id BIGINT NOT NULL,
    step BIGINT NOT NULL,
    time_since_epoch BIGINT NOT NULL,
    value_rank BIGINT NOT NULL,
    is_latest BOOLEAN NOT NULL,
    PRIMARY KEY (artifact_id, metric_key, dataset_name, dataset_digest),
    INDEX idx_pedigree_model_metric_rank (metric_key, value_rank)
) ENGINE = InnoDB;

-- The moves of aliases of registered models, counted for each alias: from which version to which, when, and by whom. Without a
-- version, its text is empty.
CREATE TABLE IF NOT EXISTS PedigreeAliasMove (
    context_id BIGINT NOT NULL,
    alias VARBINARY(1020) NOT NULL,
    move_number BIGINT NOT NULL,
    version_before TEXT NOT NULL,
    version_after TEXT NOT NULL,
    milliseconds_since_epoch BIGINT NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (context_id, alias, move_number)
) ENGINE = InnoDB;

-- Files that clients uploaded, and the folders that they are in, by their paths. The digest of a file is the SHA-256 of its bytes, as
-- hexadecimal digits, by which the artifact store has them. That of a folder is empty.
CREATE TABLE IF NOT EXISTS PedigreeArtifactFile (
    path VARBINARY(1024) PRIMARY KEY,
    folder VARBINARY(1024) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    bytes BIGINT NOT NULL,
    time_since_epoch BIGINT NOT NULL,
    INDEX idx_pedigree_artifact_file_folder (folder, path),
    INDEX idx_pedigree_artifact_file_digest (digest)
) ENGINE = InnoDB;

-- A row for each lock that holds for all servers, also where row locks hold on one node of a cluster only. A transaction
-- takes a lock by a change of its row, which is a conflict on every node.
CREATE TABLE IF NOT EXISTS PedigreeLock (
    name VARCHAR(32) PRIMARY KEY,
    counter BIGINT NOT NULL
) ENGINE = InnoDB;

INSERT INTO PedigreeLock (name, counter)
SELECT 'structure', 0 FROM (SELECT COUNT(*) AS locks FROM PedigreeLock WHERE name = 'structure') AS counted
WHERE locks = 0;

INSERT INTO PedigreeLock (name, counter)
SELECT 'adopted', 0 FROM (SELECT COUNT(*) AS locks FROM PedigreeLock WHERE name = 'adopted') AS counted
WHERE locks = 0;

INSERT INTO PedigreeLock (name, counter)
SELECT 'adoption', 0 FROM (SELECT COUNT(*) AS locks FROM PedigreeLock WHERE name = 'adoption') AS counted
WHERE locks = 0;

-- One row: what tells this database from others, and the lock of who gives positions.
CREATE TABLE IF NOT EXISTS PedigreeStore (
    store_id VARCHAR(36) PRIMARY KEY
) ENGINE = InnoDB;

INSERT INTO PedigreeStore (store_id)
SELECT UUID() FROM (SELECT COUNT(*) AS stores FROM PedigreeStore) AS counted
WHERE stores = 0;

-- MySQL commits by each statement about the schema, but not by this one. The lock of who migrates is released next: whoever takes it
-- must see the row.
COMMIT;
