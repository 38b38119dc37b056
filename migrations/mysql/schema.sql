-- The schema of version 10, as ML Metadata has it: same tables, column order, keys and index names.
-- Ids, step_index and int_value are BIGINT where ML Metadata has INT. It reads and writes them all the same.
-- Character set and collation are those of the database. AUTO_INCREMENT: the id of a deleted row is not given again.
-- Each table comes with its keys and indexes in one statement, because MySQL commits after each.

CREATE TABLE Type (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    version VARCHAR(255),
    type_kind TINYINT(1) NOT NULL,
    description TEXT,
    input_type TEXT,
    output_type TEXT,
    external_id VARCHAR(255) UNIQUE,
    INDEX idx_type_name (name),
    INDEX idx_type_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE TypeProperty (
    type_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    data_type INT,
    PRIMARY KEY (type_id, name)
) ENGINE = InnoDB;

CREATE TABLE ParentType (
    type_id BIGINT NOT NULL,
    parent_type_id BIGINT NOT NULL,
    PRIMARY KEY (type_id, parent_type_id)
) ENGINE = InnoDB;

CREATE TABLE Artifact (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    type_id BIGINT NOT NULL,
    uri TEXT,
    state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE KEY UniqueArtifactTypeName (type_id, name),
    INDEX idx_artifact_uri (uri(255)),
    INDEX idx_artifact_create_time_since_epoch (create_time_since_epoch),
    INDEX idx_artifact_last_update_time_since_epoch (last_update_time_since_epoch),
    INDEX idx_artifact_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE ArtifactProperty (
    artifact_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    string_value MEDIUMTEXT,
    byte_value MEDIUMBLOB,
    proto_value MEDIUMBLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (artifact_id, name, is_custom_property),
    INDEX idx_artifact_property_int (name, is_custom_property, int_value),
    INDEX idx_artifact_property_double (name, is_custom_property, double_value),
    INDEX idx_artifact_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB;

CREATE TABLE Execution (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    type_id BIGINT NOT NULL,
    last_known_state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE KEY UniqueExecutionTypeName (type_id, name),
    INDEX idx_execution_create_time_since_epoch (create_time_since_epoch),
    INDEX idx_execution_last_update_time_since_epoch (last_update_time_since_epoch),
    INDEX idx_execution_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE ExecutionProperty (
    execution_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    string_value MEDIUMTEXT,
    byte_value MEDIUMBLOB,
    proto_value MEDIUMBLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (execution_id, name, is_custom_property),
    INDEX idx_execution_property_int (name, is_custom_property, int_value),
    INDEX idx_execution_property_double (name, is_custom_property, double_value),
    INDEX idx_execution_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB;

CREATE TABLE Event (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    artifact_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    type INT NOT NULL,
    milliseconds_since_epoch BIGINT,
    UNIQUE KEY UniqueEvent (artifact_id, execution_id, type),
    INDEX idx_event_execution_id (execution_id)
) ENGINE = InnoDB;

-- The steps of a path are in the order of insertion; no column says it.
CREATE TABLE EventPath (
    event_id BIGINT NOT NULL,
    is_index_step TINYINT(1) NOT NULL,
    step_index BIGINT,
    step_key TEXT,
    INDEX idx_eventpath_event_id (event_id)
) ENGINE = InnoDB;

CREATE TABLE MLMDEnv (
    schema_version INT PRIMARY KEY
) ENGINE = InnoDB;

CREATE TABLE Context (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    type_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name),
    INDEX idx_context_create_time_since_epoch (create_time_since_epoch),
    INDEX idx_context_last_update_time_since_epoch (last_update_time_since_epoch),
    INDEX idx_context_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE ContextProperty (
    context_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    string_value MEDIUMTEXT,
    byte_value MEDIUMBLOB,
    proto_value MEDIUMBLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (context_id, name, is_custom_property),
    INDEX idx_context_property_int (name, is_custom_property, int_value),
    INDEX idx_context_property_double (name, is_custom_property, double_value),
    INDEX idx_context_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB;

CREATE TABLE ParentContext (
    context_id BIGINT NOT NULL,
    parent_context_id BIGINT NOT NULL,
    PRIMARY KEY (context_id, parent_context_id),
    INDEX idx_parentcontext_parent_context_id (parent_context_id)
) ENGINE = InnoDB;

CREATE TABLE Association (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    context_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    UNIQUE (context_id, execution_id)
) ENGINE = InnoDB;

CREATE TABLE Attribution (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    context_id BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    UNIQUE (context_id, artifact_id)
) ENGINE = InnoDB;

INSERT INTO MLMDEnv (schema_version) VALUES (10);
