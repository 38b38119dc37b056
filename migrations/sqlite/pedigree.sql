-- Indexes of our own on ML Metadata's tables, and tables of our own beside them. ML Metadata does not notice the ones and never reads
-- the others. Every statement does nothing where it is done already.

-- The contexts of a node.
CREATE INDEX IF NOT EXISTS idx_pedigree_attribution_artifact ON Attribution (artifact_id, context_id);
CREATE INDEX IF NOT EXISTS idx_pedigree_association_execution ON Association (execution_id, context_id);

-- The nodes of a type, and those of them with a state, in the order of their ids.
CREATE INDEX IF NOT EXISTS idx_pedigree_artifact_type ON Artifact (type_id);
CREATE INDEX IF NOT EXISTS idx_pedigree_artifact_type_state ON Artifact (type_id, state);
CREATE INDEX IF NOT EXISTS idx_pedigree_execution_type ON Execution (type_id);
CREATE INDEX IF NOT EXISTS idx_pedigree_execution_type_state ON Execution (type_id, last_known_state);
CREATE INDEX IF NOT EXISTS idx_pedigree_context_type ON Context (type_id);

-- The executions with a short text as a property: ML Metadata's index has no executions, so that each takes a look into the table.
CREATE INDEX IF NOT EXISTS idx_pedigree_execution_property_text
    ON ExecutionProperty (name, is_custom_property, string_value, execution_id) WHERE LENGTH(string_value) <= 255;

-- The changes of the graph, in the order of their commits. The newest row is never deleted, so that no position is used again.
CREATE TABLE IF NOT EXISTS PedigreeChange (
    position INTEGER PRIMARY KEY,
    time_since_epoch INT NOT NULL,
    changes BLOB NOT NULL
);

-- Changes that have no position yet. Nothing waits here on SQLite, whose one writer commits in order.
CREATE TABLE IF NOT EXISTS PedigreeOutbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_since_epoch INT NOT NULL,
    changes BLOB NOT NULL
);

-- What is too large for the rows of the history, in parts. All parts of a row have the id with which the row begins, and go with it.
CREATE TABLE IF NOT EXISTS PedigreeLargeValue (
    id BLOB NOT NULL,
    part_number INT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (id, part_number)
);

-- The ids of recorded messages, with what was answered.
CREATE TABLE IF NOT EXISTS PedigreeMessage (
    id TEXT PRIMARY KEY,
    time_since_epoch INT NOT NULL,
    answer TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_pedigree_message_time ON PedigreeMessage (time_since_epoch);

-- The versions of datasets that runs wrote: the artifact is the present version from a time on, in microseconds since epoch. Of two
-- at the same time, the greater rank counts. A run that failed has abandoned what it wrote.
CREATE TABLE IF NOT EXISTS PedigreeDatasetWrite (
    dataset_id INT NOT NULL,
    execution_id INT NOT NULL,
    artifact_id INT NOT NULL,
    microseconds INT NOT NULL,
    tie_rank INT NOT NULL,
    is_abandoned INT NOT NULL,
    PRIMARY KEY (dataset_id, execution_id, artifact_id)
);

CREATE INDEX IF NOT EXISTS idx_pedigree_dataset_write_time ON PedigreeDatasetWrite (dataset_id, microseconds, tie_rank);
CREATE INDEX IF NOT EXISTS idx_pedigree_dataset_write_execution ON PedigreeDatasetWrite (execution_id);
CREATE INDEX IF NOT EXISTS idx_pedigree_dataset_write_artifact ON PedigreeDatasetWrite (artifact_id);

-- The versions of datasets that runs read without naming them: those that were present at a time, in microseconds since epoch.
CREATE TABLE IF NOT EXISTS PedigreeDatasetRead (
    dataset_id INT NOT NULL,
    execution_id INT NOT NULL,
    unknown_id INT NOT NULL,
    artifact_id INT NOT NULL,
    microseconds INT NOT NULL,
    PRIMARY KEY (dataset_id, execution_id, unknown_id)
);

CREATE INDEX IF NOT EXISTS idx_pedigree_dataset_read_time ON PedigreeDatasetRead (dataset_id, microseconds);
CREATE INDEX IF NOT EXISTS idx_pedigree_dataset_read_execution ON PedigreeDatasetRead (execution_id);

-- The contexts that are names of one dataset, which has the id of the oldest of them. A dataset with one name has no row.
CREATE TABLE IF NOT EXISTS PedigreeDatasetName (
    context_id INT NOT NULL PRIMARY KEY,
    dataset_id INT NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_pedigree_dataset_name_dataset ON PedigreeDatasetName (dataset_id);

-- The datasets from which a run made what it wrote, where facets say it: contexts. The input 0 says that it was made from none.
CREATE TABLE IF NOT EXISTS PedigreeRunLineage (
    execution_id INT NOT NULL,
    facet_id INT NOT NULL,
    output_id INT NOT NULL,
    input_id INT NOT NULL,
    PRIMARY KEY (execution_id, facet_id, output_id, input_id)
);

-- Facets that say from which columns others were made: of runs, or of none, which is 0. The output is a context. Facets that say the same
-- share a set of edges.
CREATE TABLE IF NOT EXISTS PedigreeColumnLineage (
    execution_id INT NOT NULL,
    facet_id INT NOT NULL,
    output_id INT NOT NULL,
    set_id INT NOT NULL,
    PRIMARY KEY (execution_id, facet_id, output_id)
);

CREATE INDEX IF NOT EXISTS idx_pedigree_column_lineage_output ON PedigreeColumnLineage (output_id);
CREATE INDEX IF NOT EXISTS idx_pedigree_column_lineage_set ON PedigreeColumnLineage (set_id);

-- The edges of each set. The input is a context. An empty output is all columns, an empty input the dataset as a whole.
CREATE TABLE IF NOT EXISTS PedigreeColumnEdge (
    set_id INT NOT NULL,
    edge_number INT NOT NULL,
    output_column TEXT NOT NULL,
    input_id INT NOT NULL,
    input_column TEXT NOT NULL,
    transformation TEXT NOT NULL,
    subtype TEXT NOT NULL,
    description TEXT NOT NULL,
    is_masking INT NOT NULL,
    PRIMARY KEY (set_id, edge_number)
);

CREATE INDEX IF NOT EXISTS idx_pedigree_column_edge_input ON PedigreeColumnEdge (input_id);

-- Facets as they were sent, by the SHA-256 of their texts, as hexadecimal digits. A long text has several parts.
CREATE TABLE IF NOT EXISTS PedigreeFacet (
    digest TEXT NOT NULL,
    part_number INT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (digest, part_number)
);

-- The targets to which lineage is sent: what each has got of the history, and the one server that sends to it, which counts its beats.
CREATE TABLE IF NOT EXISTS PedigreeTarget (
    name TEXT NOT NULL PRIMARY KEY,
    history_cursor TEXT NOT NULL,
    sender TEXT NOT NULL,
    beats INT NOT NULL
);

-- Experiments of MLflow's clients, by their numbers: contexts.
CREATE TABLE IF NOT EXISTS PedigreeExperiment (
    experiment_id INTEGER PRIMARY KEY,
    context_id INT NOT NULL,
    is_deleted INT NOT NULL
);

-- Runs of experiments: executions. The start is in milliseconds since epoch, or 0. What else searches compare is in properties.
CREATE TABLE IF NOT EXISTS PedigreeRun (
    execution_id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    experiment_id INT NOT NULL,
    is_deleted INT NOT NULL,
    start_time INT NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_pedigree_run_start ON PedigreeRun (experiment_id, is_deleted, start_time DESC, run_id);

-- The metrics of runs, each with its latest point. The rank of a value is an integer with the same order. Searches of runs follow the
-- indexes, and so a row has the experiment and the start of its run, which never change.
CREATE TABLE IF NOT EXISTS PedigreeMetricSeries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id INT NOT NULL,
    metric_key TEXT NOT NULL,
    step INT NOT NULL,
    time_since_epoch INT NOT NULL,
    value_rank INT NOT NULL,
    experiment_id INT NOT NULL,
    start_time INT NOT NULL,
    UNIQUE (execution_id, metric_key)
);

CREATE INDEX IF NOT EXISTS idx_pedigree_metric_series_value ON PedigreeMetricSeries (experiment_id, metric_key, value_rank, start_time, execution_id);
CREATE INDEX IF NOT EXISTS idx_pedigree_metric_series_start ON PedigreeMetricSeries (experiment_id, metric_key, start_time, value_rank, execution_id);

-- All points of metrics, in the order in which they are listed.
CREATE TABLE IF NOT EXISTS PedigreeMetricPoint (
    series_id INT NOT NULL,
    time_since_epoch INT NOT NULL,
    step INT NOT NULL,
    value_rank INT NOT NULL,
    PRIMARY KEY (series_id, time_since_epoch, step, value_rank)
) WITHOUT ROWID;

-- Tags of inputs: of what a run used, and how.
CREATE TABLE IF NOT EXISTS PedigreeInputTag (
    execution_id INT NOT NULL,
    artifact_id INT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (execution_id, artifact_id, tag_key)
);

-- The metrics of logged models, each on each dataset with its latest point; without a dataset, its name and digest are empty. The
-- latest of all datasets is marked.
CREATE TABLE IF NOT EXISTS PedigreeModelMetric (
    artifact_id INT NOT NULL,
    metric_key TEXT NOT NULL,
    dataset_name TEXT NOT NULL,
    dataset_digest TEXT NOT NULL,
    execution_id INT NOT NULL,
    step INT NOT NULL,
    time_since_epoch INT NOT NULL,
    value_rank INT NOT NULL,
    is_latest INT NOT NULL,
    PRIMARY KEY (artifact_id, metric_key, dataset_name, dataset_digest)
);

CREATE INDEX IF NOT EXISTS idx_pedigree_model_metric_rank ON PedigreeModelMetric (metric_key, value_rank);

-- The moves of aliases of registered models, counted for each alias: from which version to which, when, and by whom. Without a
-- version, its text is empty.
CREATE TABLE IF NOT EXISTS PedigreeAliasMove (
    context_id INT NOT NULL,
    alias TEXT NOT NULL,
    move_number INT NOT NULL,
    version_before TEXT NOT NULL,
    version_after TEXT NOT NULL,
    milliseconds_since_epoch INT NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (context_id, alias, move_number)
);

-- Files that clients uploaded, and the folders that they are in, by their paths. The digest of a file is the SHA-256 of its bytes, as
-- hexadecimal digits, by which the artifact store has them. That of a folder is empty.
CREATE TABLE IF NOT EXISTS PedigreeArtifactFile (
    path TEXT NOT NULL PRIMARY KEY,
    folder TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes INT NOT NULL,
    time_since_epoch INT NOT NULL
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_pedigree_artifact_file_folder ON PedigreeArtifactFile (folder, path);
CREATE INDEX IF NOT EXISTS idx_pedigree_artifact_file_digest ON PedigreeArtifactFile (digest);

-- Locks that hold for all servers. Nothing locks here on SQLite, which has one writer.
CREATE TABLE IF NOT EXISTS PedigreeLock (
    name VARCHAR(32) NOT NULL PRIMARY KEY,
    counter INT NOT NULL
);

INSERT INTO PedigreeLock (name, counter) VALUES ('structure', 0), ('adoption', 0), ('adopted', 0)
ON CONFLICT DO NOTHING;

-- One row: what tells this database from others.
CREATE TABLE IF NOT EXISTS PedigreeStore (
    store_id VARCHAR(36) NOT NULL PRIMARY KEY
);

INSERT INTO PedigreeStore (store_id)
SELECT lower(hex(randomblob(16)))
WHERE NOT EXISTS (SELECT 1 FROM PedigreeStore);
