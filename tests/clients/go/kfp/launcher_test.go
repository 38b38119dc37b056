package kfp

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"pedigree/clients/mlmd"
)

// importDataset is the importer: it looks for an artifact by its URI, registers it, and records an execution that has brought it.
func (r *pipelineRun) importDataset(t *testing.T) int64 {
	byURI := &mlmd.GetArtifactsByURIRequest{Uris: []string{datasetURI}}
	missing, err := r.store.GetArtifactsByURI(t.Context(), byURI)
	empty(t, ok(t, missing, err))

	dataset := &mlmd.Artifact{
		TypeId: r.artifactType(t, "system.Dataset"),
		Uri:    proto.String(datasetURI),
		State:  mlmd.Artifact_LIVE.Enum(),
		CustomProperties: map[string]*mlmd.Value{
			"display_name": text("images"),
			"metadata":     structure(t, map[string]any{"rows": 60_000, "splits": []any{"train", "test"}, "owner": nil}),
		},
	}
	put, err := r.store.PutArtifacts(t.Context(), &mlmd.PutArtifactsRequest{Artifacts: []*mlmd.Artifact{dataset}})
	dataset.Id = &ok(t, put, err).ArtifactIds[0]
	found, err := r.store.GetArtifactsByURI(t.Context(), byURI)
	equalIDs(t, ids(ok(t, found, err).Artifacts), dataset.GetId())
	equalMessages(t, found.Artifacts[0].CustomProperties["metadata"], dataset.CustomProperties["metadata"])

	r.putExecution(t, &mlmd.Execution{
		TypeId:         r.executionType(t, "system.ImporterExecution"),
		Name:           proto.String("run/" + r.name + "/importer"),
		LastKnownState: mlmd.Execution_COMPLETE.Enum(),
		CustomProperties: map[string]*mlmd.Value{
			"parent_dag_id": integer(r.root),
		},
	}, &mlmd.PutExecutionRequest_ArtifactAndEvent{Event: event(mlmd.Event_OUTPUT, "artifact", dataset.Id)})
	return dataset.GetId()
}

// artifactType puts a type without properties, as is done for every artifact. The id stays the same.
func (r *pipelineRun) artifactType(t *testing.T, name string) *int64 {
	request := &mlmd.PutArtifactTypeRequest{ArtifactType: &mlmd.ArtifactType{Name: &name}}
	first, err := r.store.PutArtifactType(t.Context(), request)
	id := ok(t, first, err).TypeId
	second, err := r.store.PutArtifactType(t.Context(), request)
	equal(t, "the id of the same type", ok(t, second, err).GetTypeId(), *id)
	stored, err := r.store.GetArtifactType(t.Context(), &mlmd.GetArtifactTypeRequest{TypeName: &name})
	equal(t, "the id of the stored type", ok(t, stored, err).ArtifactType.GetId(), *id)
	return id
}

func event(kind mlmd.Event_Type, key string, artifact *int64) *mlmd.Event {
	return &mlmd.Event{
		ArtifactId: artifact,
		Type:       kind.Enum(),
		Path: &mlmd.Event_Path{Steps: []*mlmd.Event_Path_Step{
			{Value: &mlmd.Event_Path_Step_Key{Key: key}},
			{Value: &mlmd.Event_Path_Step_Index{Index: 0}},
		}},
	}
}

// startTraining is the driver: the execution runs, and uses the dataset.
func (r *pipelineRun) startTraining(t *testing.T, dataset int64) int64 {
	execution := r.trainExecution(t)
	execution.CustomProperties["inputs"] = structure(t, map[string]any{
		"epochs": 3, "rate": 0.125, "shuffle": true, "layers": []any{64, 10}, "resume_from": nil,
	})
	return r.putExecution(t, execution, &mlmd.PutExecutionRequest_ArtifactAndEvent{Event: event(mlmd.Event_INPUT, "images", &dataset)})
}

// trainExecution is what the driver says of every execution of the step.
func (r *pipelineRun) trainExecution(t *testing.T) *mlmd.Execution {
	return &mlmd.Execution{
		TypeId:         r.executionType(t, "system.ContainerExecution"),
		Name:           proto.String("run/" + r.name + "/train"),
		LastKnownState: mlmd.Execution_RUNNING.Enum(),
		CustomProperties: map[string]*mlmd.Value{
			"display_name":  text("train"),
			"task_name":     text("train"),
			"parent_dag_id": integer(r.root),
		},
	}
}

// publish is the launcher: it reads the execution that it belongs to, registers the model, and writes both back as done.
func (r *pipelineRun) publish(t *testing.T, training int64) int64 {
	execution := r.read(t, training)
	model := &mlmd.Artifact{
		TypeId: r.artifactType(t, "system.Model"),
		Uri:    proto.String(modelURI),
		State:  mlmd.Artifact_LIVE.Enum(),
		CustomProperties: map[string]*mlmd.Value{
			"display_name": text("model"),
		},
	}
	put, err := r.store.PutArtifacts(t.Context(), &mlmd.PutArtifactsRequest{Artifacts: []*mlmd.Artifact{model}})
	model.Id = &ok(t, put, err).ArtifactIds[0]

	execution.LastKnownState = mlmd.Execution_COMPLETE.Enum()
	execution.CustomProperties["outputs"] = structure(t, map[string]any{"accuracy": 0.9375})
	r.putExecution(t, execution, &mlmd.PutExecutionRequest_ArtifactAndEvent{
		Artifact: model,
		Event:    event(mlmd.Event_OUTPUT, "model", nil),
	})
	after := r.read(t, training)
	execution.LastUpdateTimeSinceEpoch = after.LastUpdateTimeSinceEpoch
	equalMessages(t, after, execution)
	r.contextsAreAsTheyWere(t)
	return model.GetId()
}

func (r *pipelineRun) read(t *testing.T, execution int64) *mlmd.Execution {
	t.Helper()
	answer, err := r.store.GetExecutionsByID(t.Context(), &mlmd.GetExecutionsByIDRequest{ExecutionIds: []int64{execution}})
	equalIDs(t, ids(ok(t, answer, err).Executions), execution)
	return answer.Executions[0]
}

// publishAgain writes back what it has read, which is no update, and then something new, which is one.
func (r *pipelineRun) publishAgain(t *testing.T, training int64) {
	before := r.read(t, training)
	for time.Now().UnixMilli() <= before.GetLastUpdateTimeSinceEpoch() {
		// A time that moves must be seen to move.
	}
	r.putExecution(t, before)
	equalMessages(t, r.read(t, training), before)
	r.contextsAreAsTheyWere(t)

	before.LastKnownState = mlmd.Execution_CACHED.Enum()
	r.putExecution(t, before)
	after := r.read(t, training)
	equal(t, "the state", after.GetLastKnownState(), mlmd.Execution_CACHED)
	equal(t, "a later update", after.GetLastUpdateTimeSinceEpoch() > before.GetLastUpdateTimeSinceEpoch(), true)
}

// readBack is a driver that looks for what earlier steps have produced.
func (r *pipelineRun) readBack(t *testing.T, training, dataset, model int64) {
	ctx := t.Context()
	byExecution, err := r.store.GetEventsByExecutionIDs(ctx, &mlmd.GetEventsByExecutionIDsRequest{ExecutionIds: []int64{training}})
	wanted := []*mlmd.Event{event(mlmd.Event_INPUT, "images", &dataset), event(mlmd.Event_OUTPUT, "model", &model)}
	equal(t, "the number of events", len(ok(t, byExecution, err).Events), len(wanted))
	for i, event := range byExecution.Events {
		wanted[i].ExecutionId = &training
		wanted[i].MillisecondsSinceEpoch = event.MillisecondsSinceEpoch
		equalMessages(t, event, wanted[i])
	}
	byArtifact, err := r.store.GetEventsByArtifactIDs(ctx, &mlmd.GetEventsByArtifactIDsRequest{ArtifactIds: []int64{model}})
	equal(t, "the number of events", len(ok(t, byArtifact, err).Events), 1)
	equalMessages(t, byArtifact.Events[0], byExecution.Events[1])

	artifacts, err := r.store.GetArtifactsByID(ctx, &mlmd.GetArtifactsByIDRequest{ArtifactIds: []int64{dataset, model}})
	equalIDs(t, ids(ok(t, artifacts, err).Artifacts), dataset, model)
	equal(t, "the type", artifacts.Artifacts[1].GetType(), "system.Model")
	contexts, err := r.store.GetContextsByArtifact(ctx, &mlmd.GetContextsByArtifactRequest{ArtifactId: &model})
	equalIDs(t, ids(ok(t, contexts, err).Contexts), ids(r.contexts)...)
}
