-- A store of the version whose history rows have no origins: sqlite3's .dump of all tables after
-- the messages of tests/it/streams/stored.rs. Written at commit a508074; never edited.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE Type (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(255) NOT NULL,
    version VARCHAR(255),
    type_kind TINYINT(1) NOT NULL,
    description TEXT,
    input_type TEXT,
    output_type TEXT,
    external_id VARCHAR(255) UNIQUE
);
INSERT INTO Type VALUES(1,'mlmd.Dataset',NULL,1,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(2,'mlmd.Model',NULL,1,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(3,'mlmd.Metrics',NULL,1,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(4,'mlmd.Statistics',NULL,1,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(5,'mlmd.Train',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(6,'mlmd.Transform',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(7,'mlmd.Process',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(8,'mlmd.Evaluate',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(9,'mlmd.Deploy',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(10,'Table',NULL,1,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(11,'Load',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(12,'Pipeline',NULL,2,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(13,'Experiment',NULL,2,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(14,'Train',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(15,'Dataset',NULL,1,NULL,NULL,NULL,NULL);
INSERT INTO Type VALUES(16,'Model',NULL,1,NULL,NULL,NULL,NULL);
CREATE TABLE TypeProperty (
    type_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    data_type INT,
    PRIMARY KEY (type_id, name)
);
INSERT INTO TypeProperty VALUES(10,'rows',1);
CREATE TABLE ParentType (
    type_id INT NOT NULL,
    parent_type_id INT NOT NULL,
    PRIMARY KEY (type_id, parent_type_id)
);
CREATE TABLE Artifact (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL,
    uri TEXT,
    state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch INT NOT NULL DEFAULT 0,
    last_update_time_since_epoch INT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name)
);
INSERT INTO Artifact VALUES(1,15,'s3://data/images',2,NULL,'content:80a1b46bcbea321be1f4f53b6676c85474a51d7ed1c2e22cbae8845a0799338c',1795888714995,1795888714995);
INSERT INTO Artifact VALUES(2,16,'s3://models/7',2,'model 7',NULL,1795888714995,1795888714995);
INSERT INTO Artifact VALUES(3,10,'s3://t/1',2,'table 1',NULL,1795888714995,1795888714995);
INSERT INTO Artifact VALUES(4,10,'',NULL,'table 2',NULL,1795888714995,1795888714995);
INSERT INTO Artifact VALUES(5,10,'',NULL,'table 3',NULL,1795888714995,1795888714995);
INSERT INTO Artifact VALUES(6,10,'',NULL,'table 4',NULL,1795888714995,1795888714995);
CREATE TABLE ArtifactProperty (
    artifact_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value INT,
    double_value DOUBLE,
    string_value TEXT,
    byte_value BLOB,
    proto_value BLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (artifact_id, name, is_custom_property)
);
INSERT INTO ArtifactProperty VALUES(1,'digest',1,NULL,NULL,'sha256:9f86d081',NULL,NULL,NULL);
INSERT INTO ArtifactProperty VALUES(3,'rows',0,5,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE Execution (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL,
    last_known_state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch INT NOT NULL DEFAULT 0,
    last_update_time_since_epoch INT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name)
);
INSERT INTO Execution VALUES(1,14,3,'run 7',NULL,1795888714995,1795888714995);
INSERT INTO Execution VALUES(2,11,3,'load 1',NULL,1795888714995,1795888714995);
INSERT INTO Execution VALUES(3,11,NULL,'load 2',NULL,1795888714995,1795888714995);
CREATE TABLE ExecutionProperty (
    execution_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value INT,
    double_value DOUBLE,
    string_value TEXT,
    byte_value BLOB,
    proto_value BLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (execution_id, name, is_custom_property)
);
INSERT INTO ExecutionProperty VALUES(1,'started_at',1,1700000000000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO ExecutionProperty VALUES(1,'ended_at',1,1700000001000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO ExecutionProperty VALUES(1,'note',1,NULL,NULL,'good',NULL,NULL,NULL);
CREATE TABLE Event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact_id INT NOT NULL,
    execution_id INT NOT NULL,
    type INT NOT NULL,
    milliseconds_since_epoch INT,
    UNIQUE (artifact_id, execution_id, type)
);
INSERT INTO Event VALUES(1,1,1,3,1700000000000);
INSERT INTO Event VALUES(2,2,1,4,1700000001000);
INSERT INTO Event VALUES(3,5,2,4,1795888714995);
INSERT INTO Event VALUES(4,3,2,3,1795888714995);
INSERT INTO Event VALUES(5,6,3,4,1795888714995);
INSERT INTO Event VALUES(6,4,3,3,1795888714995);
CREATE TABLE EventPath (
    event_id INT NOT NULL,
    is_index_step TINYINT(1) NOT NULL,
    step_index INT,
    step_key TEXT
);
INSERT INTO EventPath VALUES(3,0,NULL,'table');
INSERT INTO EventPath VALUES(3,1,0,NULL);
CREATE TABLE MLMDEnv (
    schema_version INTEGER PRIMARY KEY
);
INSERT INTO MLMDEnv VALUES(10);
CREATE TABLE Context (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch INT NOT NULL DEFAULT 0,
    last_update_time_since_epoch INT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name)
);
INSERT INTO Context VALUES(1,13,'nightly',NULL,1795888714995,1795888714995);
INSERT INTO Context VALUES(2,12,'daily',NULL,1795888714995,1795888714995);
INSERT INTO Context VALUES(3,12,'weekly',NULL,1795888714995,1795888714995);
CREATE TABLE ContextProperty (
    context_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value INT,
    double_value DOUBLE,
    string_value TEXT,
    byte_value BLOB,
    proto_value BLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (context_id, name, is_custom_property)
);
CREATE TABLE ParentContext (
    context_id INT NOT NULL,
    parent_context_id INT NOT NULL,
    PRIMARY KEY (context_id, parent_context_id)
);
INSERT INTO ParentContext VALUES(2,3);
CREATE TABLE Association (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    context_id INT NOT NULL,
    execution_id INT NOT NULL,
    UNIQUE (context_id, execution_id)
);
INSERT INTO Association VALUES(1,1,1);
INSERT INTO Association VALUES(2,2,2);
INSERT INTO Association VALUES(3,3,3);
CREATE TABLE Attribution (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    context_id INT NOT NULL,
    artifact_id INT NOT NULL,
    UNIQUE (context_id, artifact_id)
);
INSERT INTO Attribution VALUES(1,1,1);
INSERT INTO Attribution VALUES(2,1,2);
INSERT INTO Attribution VALUES(3,2,5);
INSERT INTO Attribution VALUES(4,2,3);
INSERT INTO Attribution VALUES(5,3,6);
INSERT INTO Attribution VALUES(6,3,4);
CREATE TABLE PedigreeChange (
    position INTEGER PRIMARY KEY,
    time_since_epoch INT NOT NULL,
    changes BLOB NOT NULL
);
INSERT INTO PedigreeChange VALUES(1,1795888714986,X'0a19080110012213080a12055461626c6532080a04726f77731001');
INSERT INTO PedigreeChange VALUES(2,1795888715019,X'0a0c08012208080b12044c6f61640a1208011002220c080c1208506970656c696e650a1408011002220e080d120a4578706572696d656e740a0d08012209080e1205547261696e0a1108011001220b080f1207446174617365740a2d080110021a270801100d1a0a4578706572696d656e7422076e696768746c7950f3a9bc9aa23458f3a9bc9aa2340a3d08011a390801100e1a05547261696e220572756e203738024a150a0a737461727465645f617412070880d095ffbc3150f3a9bc9aa23458f3a9bc9aa2340a9d01080110011a96010801100f1a07446174617365742a48636f6e74656e743a38306131623436626362656133323162653166346635336236363736633835343734613531643765643163326532326362616538383435613037393933333863321073333a2f2f646174612f696d6167657338024a1b0a0664696765737412111a0f7368613235363a396638366430383150f3a9bc9aa23458f3a9bc9aa2340a1c080110ffffffffffffffffff012a0d0801100118032080d095ffbc310a0808013204080110010a0a080110013204080110010a0f080110012209081012054d6f64656c0a5208021a4e0801100e1a05547261696e220572756e203738034a130a08656e6465645f6174120708e8d795ffbc314a150a0a737461727465645f617412070880d095ffbc3150f3a9bc9aa23458f3a9bc9aa2340a39080110011a33080210101a054d6f64656c22076d6f64656c2037320d73333a2f2f6d6f64656c732f37380250f3a9bc9aa23458f3a9bc9aa2340a1c080110ffffffffffffffffff012a0d08021001180420e8d795ffbc310a0a080110013204080110020a6208021a5e0801100e1a05547261696e220572756e203738034a130a08656e6465645f6174120708e8d795ffbc314a0e0a046e6f746512061a04676f6f644a150a0a737461727465645f617412070880d095ffbc3150f3a9bc9aa23458f3a9bc9aa2340a40080110011a3a0803100a1a055461626c6522077461626c652031320873333a2f2f742f313802420a0a04726f77731202080550f3a9bc9aa23458f3a9bc9aa2340a2a080110011a240804100a1a055461626c6522077461626c652032320050f3a9bc9aa23458f3a9bc9aa2340a2a080110011a240805100a1a055461626c6522077461626c652033320050f3a9bc9aa23458f3a9bc9aa2340a2608011a220802100b1a044c6f616422066c6f61642031380350f3a9bc9aa23458f3a9bc9aa2340a29080110ffffffffffffffffff012a1a08051002180420f3a9bc9aa2342a0712057461626c652a0208000a1c080110ffffffffffffffffff012a0d08031002180320f3a9bc9aa2340a29080110021a230802100c1a08506970656c696e6522056461696c7950f3a9bc9aa23458f3a9bc9aa2340a0808013204080210020a0a080110013204080210050a0a080110013204080210030a2a080110021a240803100c1a08506970656c696e6522067765656b6c7950f3a9bc9aa23458f3a9bc9aa2340a2a080110011a240806100a1a055461626c6522077461626c652034320050f3a9bc9aa23458f3a9bc9aa2340a2408011a200803100b1a044c6f616422066c6f6164203250f3a9bc9aa23458f3a9bc9aa2340a0808013204080310030a0a080110013204080310060a1c080110ffffffffffffffffff012a0d08061003180420f3a9bc9aa2340a1c080110ffffffffffffffffff012a0d08041003180320f3a9bc9aa2340a0a080110013204080310040a0a08011002320408031002');
CREATE TABLE PedigreeOutbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_since_epoch INT NOT NULL,
    changes BLOB NOT NULL
);
CREATE TABLE PedigreeMessage (
    id TEXT PRIMARY KEY,
    time_since_epoch INT NOT NULL,
    answer TEXT NOT NULL
);
INSERT INTO PedigreeMessage VALUES('type',1795888714984,'{"label":"Types","answer":{"Ids":[10]}}');
INSERT INTO PedigreeMessage VALUES('types',1795888714995,'{"label":"Types","answer":{"Ids":[11,12]}}');
INSERT INTO PedigreeMessage VALUES('run started',1795888714995,'{"label":"Run","answer":{"Run":{"execution_id":1,"context_ids":[1],"input_ids":[1],"output_ids":[],"state":2}}}');
INSERT INTO PedigreeMessage VALUES('run ended',1795888714995,'{"label":"Run","answer":{"Run":{"execution_id":1,"context_ids":[],"input_ids":[],"output_ids":[2],"state":3}}}');
INSERT INTO PedigreeMessage VALUES('run updated',1795888714995,'{"label":"Run","answer":{"Run":{"execution_id":1,"context_ids":[],"input_ids":[],"output_ids":[],"state":3}}}');
INSERT INTO PedigreeMessage VALUES('nodes',1795888714995,'{"label":"Nodes","answer":{"Ids":[3,4]}}');
INSERT INTO PedigreeMessage VALUES('execution',1795888714995,'{"label":"Execution","answer":{"Execution":{"execution_id":2,"artifact_ids":[5,3],"context_ids":[2]}}}');
INSERT INTO PedigreeMessage VALUES('subgraph',1795888714995,'{"label":"Subgraph","answer":{"Subgraph":{"execution_ids":[3],"artifact_ids":[6],"context_ids":[3]}}}');
INSERT INTO PedigreeMessage VALUES('events',1795888714995,'{"label":"Events","answer":{"Done":null}}');
INSERT INTO PedigreeMessage VALUES('memberships',1795888714995,'{"label":"Memberships","answer":{"Done":null}}');
INSERT INTO PedigreeMessage VALUES('parents',1795888714995,'{"label":"Parents","answer":{"Done":null}}');
CREATE TABLE PedigreeStore (
    store_id VARCHAR(36) NOT NULL
);
INSERT INTO PedigreeStore VALUES('3481fbf36b21b0c489ea0ce010d2b2c9');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('Type',16);
INSERT INTO sqlite_sequence VALUES('Context',3);
INSERT INTO sqlite_sequence VALUES('Execution',3);
INSERT INTO sqlite_sequence VALUES('Artifact',6);
INSERT INTO sqlite_sequence VALUES('Event',6);
INSERT INTO sqlite_sequence VALUES('Association',3);
INSERT INTO sqlite_sequence VALUES('Attribution',6);
CREATE INDEX idx_artifact_uri ON Artifact (uri);
CREATE INDEX idx_artifact_create_time_since_epoch ON Artifact (create_time_since_epoch);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON Artifact (last_update_time_since_epoch);
CREATE INDEX idx_event_execution_id ON Event (execution_id);
CREATE INDEX idx_parentcontext_parent_context_id ON ParentContext (parent_context_id);
CREATE INDEX idx_type_name ON Type (name);
CREATE INDEX idx_execution_create_time_since_epoch ON Execution (create_time_since_epoch);
CREATE INDEX idx_execution_last_update_time_since_epoch ON Execution (last_update_time_since_epoch);
CREATE INDEX idx_context_create_time_since_epoch ON Context (create_time_since_epoch);
CREATE INDEX idx_context_last_update_time_since_epoch ON Context (last_update_time_since_epoch);
CREATE INDEX idx_eventpath_event_id ON EventPath (event_id);
CREATE INDEX idx_artifact_property_int ON ArtifactProperty (name, is_custom_property, int_value)
    WHERE int_value IS NOT NULL;
CREATE INDEX idx_artifact_property_double ON ArtifactProperty (name, is_custom_property, double_value)
    WHERE double_value IS NOT NULL;
CREATE INDEX idx_artifact_property_string ON ArtifactProperty (name, is_custom_property, string_value)
    WHERE string_value IS NOT NULL;
CREATE INDEX idx_execution_property_int ON ExecutionProperty (name, is_custom_property, int_value)
    WHERE int_value IS NOT NULL;
CREATE INDEX idx_execution_property_double ON ExecutionProperty (name, is_custom_property, double_value)
    WHERE double_value IS NOT NULL;
CREATE INDEX idx_execution_property_string ON ExecutionProperty (name, is_custom_property, string_value)
    WHERE string_value IS NOT NULL;
CREATE INDEX idx_context_property_int ON ContextProperty (name, is_custom_property, int_value)
    WHERE int_value IS NOT NULL;
CREATE INDEX idx_context_property_double ON ContextProperty (name, is_custom_property, double_value)
    WHERE double_value IS NOT NULL;
CREATE INDEX idx_context_property_string ON ContextProperty (name, is_custom_property, string_value)
    WHERE string_value IS NOT NULL;
CREATE INDEX idx_type_external_id ON Type (external_id);
CREATE INDEX idx_artifact_external_id ON Artifact (external_id);
CREATE INDEX idx_execution_external_id ON Execution (external_id);
CREATE INDEX idx_context_external_id ON Context (external_id);
CREATE INDEX idx_pedigree_attribution_artifact ON Attribution (artifact_id, context_id);
CREATE INDEX idx_pedigree_association_execution ON Association (execution_id, context_id);
CREATE INDEX idx_pedigree_artifact_type ON Artifact (type_id);
CREATE INDEX idx_pedigree_artifact_type_state ON Artifact (type_id, state);
CREATE INDEX idx_pedigree_execution_type ON Execution (type_id);
CREATE INDEX idx_pedigree_execution_type_state ON Execution (type_id, last_known_state);
CREATE INDEX idx_pedigree_context_type ON Context (type_id);
CREATE INDEX idx_pedigree_message_time ON PedigreeMessage (time_since_epoch);
COMMIT;
