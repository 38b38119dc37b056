-- The schema of version 10, as ML Metadata has it: same tables, column order, keys and index names. Unquoted names are in lower case.
-- Ids, step_index and int_value are BIGINT where ML Metadata has INT. It reads and writes them all the same.

CREATE TABLE Type (
    id BIGSERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    version VARCHAR(255),
    type_kind SMALLINT NOT NULL,
    description TEXT,
    input_type TEXT,
    output_type TEXT,
    external_id VARCHAR(255) UNIQUE
);

CREATE TABLE TypeProperty (
    type_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    data_type INT,
    PRIMARY KEY (type_id, name)
);

CREATE TABLE ParentType (
    type_id BIGINT NOT NULL,
    parent_type_id BIGINT NOT NULL,
    PRIMARY KEY (type_id, parent_type_id)
);

CREATE TABLE Artifact (
    id BIGSERIAL PRIMARY KEY,
    type_id BIGINT NOT NULL,
    uri TEXT,
    state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    CONSTRAINT UniqueArtifactTypeName UNIQUE (type_id, name)
);

CREATE TABLE ArtifactProperty (
    artifact_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property BOOLEAN NOT NULL,
    int_value BIGINT,
    double_value DOUBLE PRECISION,
    string_value TEXT,
    byte_value BYTEA,
    proto_value BYTEA,
    bool_value BOOLEAN,
    PRIMARY KEY (artifact_id, name, is_custom_property)
);

CREATE TABLE Execution (
    id BIGSERIAL PRIMARY KEY,
    type_id BIGINT NOT NULL,
    last_known_state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    CONSTRAINT UniqueExecutionTypeName UNIQUE (type_id, name)
);

CREATE TABLE ExecutionProperty (
    execution_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property BOOLEAN NOT NULL,
    int_value BIGINT,
    double_value DOUBLE PRECISION,
    string_value TEXT,
    byte_value BYTEA,
    proto_value BYTEA,
    bool_value BOOLEAN,
    PRIMARY KEY (execution_id, name, is_custom_property)
);

CREATE TABLE Event (
    id BIGSERIAL PRIMARY KEY,
    artifact_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    type INT NOT NULL,
    milliseconds_since_epoch BIGINT,
    CONSTRAINT UniqueEvent UNIQUE (artifact_id, execution_id, type)
);

-- The steps of a path are in the order of insertion; no column says it.
CREATE TABLE EventPath (
    event_id BIGINT NOT NULL,
    is_index_step BOOLEAN NOT NULL,
    step_index BIGINT,
    step_key TEXT
);

CREATE TABLE MLMDEnv (
    schema_version INT PRIMARY KEY
);

CREATE TABLE Context (
    id BIGSERIAL PRIMARY KEY,
    type_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name)
);

CREATE TABLE ContextProperty (
    context_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property BOOLEAN NOT NULL,
    int_value BIGINT,
    double_value DOUBLE PRECISION,
    string_value TEXT,
    byte_value BYTEA,
    proto_value BYTEA,
    bool_value BOOLEAN,
    PRIMARY KEY (context_id, name, is_custom_property)
);

CREATE TABLE ParentContext (
    context_id BIGINT NOT NULL,
    parent_context_id BIGINT NOT NULL,
    PRIMARY KEY (context_id, parent_context_id)
);

CREATE TABLE Association (
    id BIGSERIAL PRIMARY KEY,
    context_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    UNIQUE (context_id, execution_id)
);

CREATE TABLE Attribution (
    id BIGSERIAL PRIMARY KEY,
    context_id BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    UNIQUE (context_id, artifact_id)
);

CREATE INDEX idx_type_name ON Type (name);
CREATE INDEX idx_type_external_id ON Type (external_id);
CREATE INDEX idx_artifact_create_time_since_epoch ON Artifact (create_time_since_epoch);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON Artifact (last_update_time_since_epoch);
CREATE INDEX idx_artifact_external_id ON Artifact (external_id);
CREATE INDEX idx_artifact_property_int ON ArtifactProperty (name, is_custom_property, int_value);
CREATE INDEX idx_artifact_property_double ON ArtifactProperty (name, is_custom_property, double_value);
CREATE INDEX idx_execution_create_time_since_epoch ON Execution (create_time_since_epoch);
CREATE INDEX idx_execution_last_update_time_since_epoch ON Execution (last_update_time_since_epoch);
CREATE INDEX idx_execution_external_id ON Execution (external_id);
CREATE INDEX idx_execution_property_int ON ExecutionProperty (name, is_custom_property, int_value);
CREATE INDEX idx_execution_property_double ON ExecutionProperty (name, is_custom_property, double_value);
CREATE INDEX idx_event_execution_id ON Event (execution_id);
CREATE INDEX idx_eventpath_event_id ON EventPath (event_id);
CREATE INDEX idx_context_create_time_since_epoch ON Context (create_time_since_epoch);
CREATE INDEX idx_context_last_update_time_since_epoch ON Context (last_update_time_since_epoch);
CREATE INDEX idx_context_external_id ON Context (external_id);
CREATE INDEX idx_context_property_int ON ContextProperty (name, is_custom_property, int_value);
CREATE INDEX idx_context_property_double ON ContextProperty (name, is_custom_property, double_value);
CREATE INDEX idx_parentcontext_parent_context_id ON ParentContext (parent_context_id);

-- An entry of an index must fit in a third of a page, so long text is indexed by its first 255 characters. A search for the whole text
-- finds the entries when it says the prefix too:
--     WHERE left(uri, 255) = left($1, 255) AND uri = $1
-- A hash index would need no such condition, but the many artifacts without a URI have '' and would be in one chain of it.
CREATE INDEX idx_artifact_uri ON Artifact (left(uri, 255));
CREATE INDEX idx_artifact_property_string ON ArtifactProperty (name, is_custom_property, left(string_value, 255));
CREATE INDEX idx_execution_property_string ON ExecutionProperty (name, is_custom_property, left(string_value, 255));
CREATE INDEX idx_context_property_string ON ContextProperty (name, is_custom_property, left(string_value, 255));

INSERT INTO MLMDEnv (schema_version) VALUES (10);
