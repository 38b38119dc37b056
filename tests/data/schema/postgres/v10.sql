CREATE TABLE public.artifact (
    id integer NOT NULL,
    type_id integer NOT NULL,
    uri text,
    state integer,
    name character varying(255),
    external_id character varying(255),
    create_time_since_epoch bigint DEFAULT 0 NOT NULL,
    last_update_time_since_epoch bigint DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.artifact_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.artifact_id_seq OWNED BY public.artifact.id;
CREATE TABLE public.artifactproperty (
    artifact_id integer NOT NULL,
    name character varying(255) NOT NULL,
    is_custom_property boolean NOT NULL,
    int_value integer,
    double_value double precision,
    string_value text,
    byte_value bytea,
    proto_value bytea,
    bool_value boolean
);
CREATE TABLE public.association (
    id integer NOT NULL,
    context_id integer NOT NULL,
    execution_id integer NOT NULL
);
CREATE SEQUENCE public.association_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.association_id_seq OWNED BY public.association.id;
CREATE TABLE public.attribution (
    id integer NOT NULL,
    context_id integer NOT NULL,
    artifact_id integer NOT NULL
);
CREATE SEQUENCE public.attribution_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attribution_id_seq OWNED BY public.attribution.id;
CREATE TABLE public.context (
    id integer NOT NULL,
    type_id integer NOT NULL,
    name character varying(255) NOT NULL,
    external_id character varying(255),
    create_time_since_epoch bigint DEFAULT 0 NOT NULL,
    last_update_time_since_epoch bigint DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.context_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.context_id_seq OWNED BY public.context.id;
CREATE TABLE public.contextproperty (
    context_id integer NOT NULL,
    name character varying(255) NOT NULL,
    is_custom_property boolean NOT NULL,
    int_value integer,
    double_value double precision,
    string_value text,
    byte_value bytea,
    proto_value bytea,
    bool_value boolean
);
CREATE TABLE public.event (
    id integer NOT NULL,
    artifact_id integer NOT NULL,
    execution_id integer NOT NULL,
    type integer NOT NULL,
    milliseconds_since_epoch bigint
);
CREATE SEQUENCE public.event_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.event_id_seq OWNED BY public.event.id;
CREATE TABLE public.eventpath (
    event_id integer NOT NULL,
    is_index_step boolean NOT NULL,
    step_index integer,
    step_key text
);
CREATE TABLE public.execution (
    id integer NOT NULL,
    type_id integer NOT NULL,
    last_known_state integer,
    name character varying(255),
    external_id character varying(255),
    create_time_since_epoch bigint DEFAULT 0 NOT NULL,
    last_update_time_since_epoch bigint DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.execution_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.execution_id_seq OWNED BY public.execution.id;
CREATE TABLE public.executionproperty (
    execution_id integer NOT NULL,
    name character varying(255) NOT NULL,
    is_custom_property boolean NOT NULL,
    int_value integer,
    double_value double precision,
    string_value text,
    byte_value bytea,
    proto_value bytea,
    bool_value boolean
);
CREATE TABLE public.mlmdenv (
    schema_version integer NOT NULL
);
CREATE TABLE public.parentcontext (
    context_id integer NOT NULL,
    parent_context_id integer NOT NULL
);
CREATE TABLE public.parenttype (
    type_id integer NOT NULL,
    parent_type_id integer NOT NULL
);
CREATE TABLE public.type (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    version character varying(255),
    type_kind smallint NOT NULL,
    description text,
    input_type text,
    output_type text,
    external_id character varying(255)
);
CREATE SEQUENCE public.type_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.type_id_seq OWNED BY public.type.id;
CREATE TABLE public.typeproperty (
    type_id integer NOT NULL,
    name character varying(255) NOT NULL,
    data_type integer
);
ALTER TABLE ONLY public.artifact ALTER COLUMN id SET DEFAULT nextval('public.artifact_id_seq'::regclass);
ALTER TABLE ONLY public.association ALTER COLUMN id SET DEFAULT nextval('public.association_id_seq'::regclass);
ALTER TABLE ONLY public.attribution ALTER COLUMN id SET DEFAULT nextval('public.attribution_id_seq'::regclass);
ALTER TABLE ONLY public.context ALTER COLUMN id SET DEFAULT nextval('public.context_id_seq'::regclass);
ALTER TABLE ONLY public.event ALTER COLUMN id SET DEFAULT nextval('public.event_id_seq'::regclass);
ALTER TABLE ONLY public.execution ALTER COLUMN id SET DEFAULT nextval('public.execution_id_seq'::regclass);
ALTER TABLE ONLY public.type ALTER COLUMN id SET DEFAULT nextval('public.type_id_seq'::regclass);
INSERT INTO public.artifact VALUES (1, 10, 'file:///a', 2, 'first', 'a-1', 1700000000001, 1700000001001);
INSERT INTO public.artifact VALUES (2, 10, 'file:///b', NULL, NULL, NULL, 1700000000002, 1700000001002);
INSERT INTO public.artifact VALUES (3, 11, '', NULL, 'first', NULL, 1700000000003, 1700000001003);
INSERT INTO public.artifact VALUES (4, 10, NULL, 4, 'no uri', NULL, 1700000000004, 1700000001004);
INSERT INTO public.artifactproperty VALUES (1, 'b', false, NULL, NULL, NULL, NULL, NULL, true);
INSERT INTO public.artifactproperty VALUES (1, 'd', false, NULL, 0.5, NULL, NULL, NULL, NULL);
INSERT INTO public.artifactproperty VALUES (1, 'n', false, 2147483647, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.artifactproperty VALUES (1, 'p', false, NULL, NULL, NULL, NULL, '\x0a2c747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e4475726174696f6e1202082a', NULL);
INSERT INTO public.artifactproperty VALUES (1, 's', false, NULL, NULL, 'größe 漢字', NULL, NULL, NULL);
INSERT INTO public.artifactproperty VALUES (1, 't', false, NULL, NULL, 'mlmd-struct::ChkKBHJvd3MSETIPCgkRAAAAAAAA8D8KAggA', NULL, NULL, NULL);
INSERT INTO public.artifactproperty VALUES (2, 'c', true, -3, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.artifactproperty VALUES (2, 'n', true, NULL, NULL, 'a custom property with the name of a typed one', NULL, NULL, NULL);
INSERT INTO public.artifactproperty VALUES (2, 'p', true, NULL, NULL, NULL, NULL, '\x0a2c747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e4475726174696f6e1202082a', NULL);
INSERT INTO public.association VALUES (1, 1, 2);
INSERT INTO public.association VALUES (2, 2, 1);
INSERT INTO public.attribution VALUES (1, 1, 1);
INSERT INTO public.attribution VALUES (2, 3, 1);
INSERT INTO public.context VALUES (1, 13, 'one', 'c-1', 1700000004001, 1700000005001);
INSERT INTO public.context VALUES (2, 13, 'two', NULL, 1700000004002, 1700000005002);
INSERT INTO public.context VALUES (3, 14, 'one', NULL, 1700000004003, 1700000005003);
INSERT INTO public.contextproperty VALUES (1, 'b', false, NULL, NULL, NULL, NULL, NULL, true);
INSERT INTO public.contextproperty VALUES (1, 'd', false, NULL, 0.5, NULL, NULL, NULL, NULL);
INSERT INTO public.contextproperty VALUES (1, 'n', false, 2147483647, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.contextproperty VALUES (1, 'p', false, NULL, NULL, NULL, NULL, '\x0a2c747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e4475726174696f6e1202082a', NULL);
INSERT INTO public.contextproperty VALUES (1, 's', false, NULL, NULL, 'größe 漢字', NULL, NULL, NULL);
INSERT INTO public.contextproperty VALUES (1, 't', false, NULL, NULL, 'mlmd-struct::ChkKBHJvd3MSETIPCgkRAAAAAAAA8D8KAggA', NULL, NULL, NULL);
INSERT INTO public.contextproperty VALUES (2, 'c', true, -3, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.contextproperty VALUES (2, 'n', true, NULL, NULL, 'a custom property with the name of a typed one', NULL, NULL, NULL);
INSERT INTO public.contextproperty VALUES (2, 'p', true, NULL, NULL, NULL, NULL, '\x0a2c747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e4475726174696f6e1202082a', NULL);
INSERT INTO public.event VALUES (1, 1, 1, 3, 100);
INSERT INTO public.event VALUES (2, 2, 1, 4, 200);
INSERT INTO public.event VALUES (3, 2, 2, 2, 300);
INSERT INTO public.eventpath VALUES (1, false, NULL, 'in');
INSERT INTO public.eventpath VALUES (1, true, 0, NULL);
INSERT INTO public.eventpath VALUES (2, false, NULL, 'in');
INSERT INTO public.eventpath VALUES (2, true, 0, NULL);
INSERT INTO public.execution VALUES (1, 12, 3, 'monday', 'e-1', 1700000002001, 1700000003001);
INSERT INTO public.execution VALUES (2, 12, NULL, NULL, NULL, 1700000002002, 1700000003002);
INSERT INTO public.executionproperty VALUES (1, 'b', false, NULL, NULL, NULL, NULL, NULL, true);
INSERT INTO public.executionproperty VALUES (1, 'd', false, NULL, 0.5, NULL, NULL, NULL, NULL);
INSERT INTO public.executionproperty VALUES (1, 'n', false, 2147483647, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.executionproperty VALUES (1, 'p', false, NULL, NULL, NULL, NULL, '\x0a2c747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e4475726174696f6e1202082a', NULL);
INSERT INTO public.executionproperty VALUES (1, 's', false, NULL, NULL, 'größe 漢字', NULL, NULL, NULL);
INSERT INTO public.executionproperty VALUES (1, 't', false, NULL, NULL, 'mlmd-struct::ChkKBHJvd3MSETIPCgkRAAAAAAAA8D8KAggA', NULL, NULL, NULL);
INSERT INTO public.executionproperty VALUES (2, 'c', true, -3, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.executionproperty VALUES (2, 'n', true, NULL, NULL, 'a custom property with the name of a typed one', NULL, NULL, NULL);
INSERT INTO public.executionproperty VALUES (2, 'p', true, NULL, NULL, NULL, NULL, '\x0a2c747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e4475726174696f6e1202082a', NULL);
INSERT INTO public.mlmdenv VALUES (10);
INSERT INTO public.parentcontext VALUES (1, 3);
INSERT INTO public.parentcontext VALUES (2, 3);
INSERT INTO public.parenttype VALUES (11, 1);
INSERT INTO public.type VALUES (1, 'mlmd.Dataset', NULL, 1, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (2, 'mlmd.Model', NULL, 1, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (3, 'mlmd.Metrics', NULL, 1, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (4, 'mlmd.Statistics', NULL, 1, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (5, 'mlmd.Train', NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (6, 'mlmd.Transform', NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (7, 'mlmd.Process', NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (8, 'mlmd.Evaluate', NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (9, 'mlmd.Deploy', NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (10, 'Data', NULL, 1, 'What a run reads.', NULL, NULL, 'type-1');
INSERT INTO public.type VALUES (11, 'Data', '2', 1, NULL, NULL, NULL, NULL);
INSERT INTO public.type VALUES (12, 'Train', NULL, 0, NULL, '{"dict":{"properties":{"in":{"simple":{"name":"Data","version":"2","baseType":"DATASET"}}}}}', '{"any":{}}', NULL);
INSERT INTO public.type VALUES (13, 'Run', NULL, 2, NULL, NULL, NULL, 'type-2');
INSERT INTO public.type VALUES (14, 'Pipeline', '1', 2, NULL, NULL, NULL, NULL);
INSERT INTO public.typeproperty VALUES (10, 'b', 6);
INSERT INTO public.typeproperty VALUES (10, 'd', 2);
INSERT INTO public.typeproperty VALUES (10, 'n', 1);
INSERT INTO public.typeproperty VALUES (10, 'p', 5);
INSERT INTO public.typeproperty VALUES (10, 's', 3);
INSERT INTO public.typeproperty VALUES (10, 't', 4);
INSERT INTO public.typeproperty VALUES (12, 'b', 6);
INSERT INTO public.typeproperty VALUES (12, 'd', 2);
INSERT INTO public.typeproperty VALUES (12, 'n', 1);
INSERT INTO public.typeproperty VALUES (12, 'p', 5);
INSERT INTO public.typeproperty VALUES (12, 's', 3);
INSERT INTO public.typeproperty VALUES (12, 't', 4);
INSERT INTO public.typeproperty VALUES (13, 'b', 6);
INSERT INTO public.typeproperty VALUES (13, 'd', 2);
INSERT INTO public.typeproperty VALUES (13, 'n', 1);
INSERT INTO public.typeproperty VALUES (13, 'p', 5);
INSERT INTO public.typeproperty VALUES (13, 's', 3);
INSERT INTO public.typeproperty VALUES (13, 't', 4);
SELECT pg_catalog.setval('public.artifact_id_seq', 5, true);
SELECT pg_catalog.setval('public.association_id_seq', 2, true);
SELECT pg_catalog.setval('public.attribution_id_seq', 2, true);
SELECT pg_catalog.setval('public.context_id_seq', 3, true);
SELECT pg_catalog.setval('public.event_id_seq', 3, true);
SELECT pg_catalog.setval('public.execution_id_seq', 2, true);
SELECT pg_catalog.setval('public.type_id_seq', 15, true);
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT artifact_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT artifact_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifactproperty
    ADD CONSTRAINT artifactproperty_pkey PRIMARY KEY (artifact_id, name, is_custom_property);
ALTER TABLE ONLY public.association
    ADD CONSTRAINT association_context_id_execution_id_key UNIQUE (context_id, execution_id);
ALTER TABLE ONLY public.association
    ADD CONSTRAINT association_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attribution
    ADD CONSTRAINT attribution_context_id_artifact_id_key UNIQUE (context_id, artifact_id);
ALTER TABLE ONLY public.attribution
    ADD CONSTRAINT attribution_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.context
    ADD CONSTRAINT context_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.context
    ADD CONSTRAINT context_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.context
    ADD CONSTRAINT context_type_id_name_key UNIQUE (type_id, name);
ALTER TABLE ONLY public.contextproperty
    ADD CONSTRAINT contextproperty_pkey PRIMARY KEY (context_id, name, is_custom_property);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.execution
    ADD CONSTRAINT execution_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.execution
    ADD CONSTRAINT execution_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.executionproperty
    ADD CONSTRAINT executionproperty_pkey PRIMARY KEY (execution_id, name, is_custom_property);
ALTER TABLE ONLY public.mlmdenv
    ADD CONSTRAINT mlmdenv_pkey PRIMARY KEY (schema_version);
ALTER TABLE ONLY public.parentcontext
    ADD CONSTRAINT parentcontext_pkey PRIMARY KEY (context_id, parent_context_id);
ALTER TABLE ONLY public.parenttype
    ADD CONSTRAINT parenttype_pkey PRIMARY KEY (type_id, parent_type_id);
ALTER TABLE ONLY public.type
    ADD CONSTRAINT type_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.type
    ADD CONSTRAINT type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.typeproperty
    ADD CONSTRAINT typeproperty_pkey PRIMARY KEY (type_id, name);
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT uniqueartifacttypename UNIQUE (type_id, name);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT uniqueevent UNIQUE (artifact_id, execution_id, type);
ALTER TABLE ONLY public.execution
    ADD CONSTRAINT uniqueexecutiontypename UNIQUE (type_id, name);
CREATE INDEX idx_artifact_create_time_since_epoch ON public.artifact USING btree (create_time_since_epoch);
CREATE INDEX idx_artifact_external_id ON public.artifact USING btree (external_id);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON public.artifact USING btree (last_update_time_since_epoch);
CREATE INDEX idx_artifact_property_double ON public.artifactproperty USING btree (name, is_custom_property, double_value);
CREATE INDEX idx_artifact_property_int ON public.artifactproperty USING btree (name, is_custom_property, int_value);
CREATE INDEX idx_artifact_property_string ON public.artifactproperty USING btree (name, is_custom_property, string_value);
CREATE INDEX idx_artifact_uri ON public.artifact USING btree (uri);
CREATE INDEX idx_context_create_time_since_epoch ON public.context USING btree (create_time_since_epoch);
CREATE INDEX idx_context_external_id ON public.context USING btree (external_id);
CREATE INDEX idx_context_last_update_time_since_epoch ON public.context USING btree (last_update_time_since_epoch);
CREATE INDEX idx_context_property_double ON public.contextproperty USING btree (name, is_custom_property, double_value);
CREATE INDEX idx_context_property_int ON public.contextproperty USING btree (name, is_custom_property, int_value);
CREATE INDEX idx_context_property_string ON public.contextproperty USING btree (name, is_custom_property, string_value);
CREATE INDEX idx_event_execution_id ON public.event USING btree (execution_id);
CREATE INDEX idx_eventpath_event_id ON public.eventpath USING btree (event_id);
CREATE INDEX idx_execution_create_time_since_epoch ON public.execution USING btree (create_time_since_epoch);
CREATE INDEX idx_execution_external_id ON public.execution USING btree (external_id);
CREATE INDEX idx_execution_last_update_time_since_epoch ON public.execution USING btree (last_update_time_since_epoch);
CREATE INDEX idx_execution_property_double ON public.executionproperty USING btree (name, is_custom_property, double_value);
CREATE INDEX idx_execution_property_int ON public.executionproperty USING btree (name, is_custom_property, int_value);
CREATE INDEX idx_execution_property_string ON public.executionproperty USING btree (name, is_custom_property, string_value);
CREATE INDEX idx_parentcontext_parent_context_id ON public.parentcontext USING btree (parent_context_id);
CREATE INDEX idx_type_external_id ON public.type USING btree (external_id);
CREATE INDEX idx_type_name ON public.type USING btree (name);
