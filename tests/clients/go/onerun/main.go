// Onerun registers types, writes one run, reads it back in three ways and checks what it reads.
//
//	onerun 127.0.0.1:8080
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"pedigree/clients/mlmd"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: onerun HOST:PORT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "onerun:", err)
		os.Exit(1)
	}
}

func run(address string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	store := mlmd.NewMetadataStoreServiceClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	r, err := newRun(ctx, store, "run-"+time.Now().UTC().Format(time.RFC3339Nano))
	if err != nil {
		return fmt.Errorf("register the types: %w", err)
	}
	if err := r.write(ctx, store); err != nil {
		return fmt.Errorf("write the run: %w", err)
	}
	if err := r.readByID(ctx, store); err != nil {
		return fmt.Errorf("read by id: %w", err)
	}
	if err := r.readByFilter(ctx, store); err != nil {
		return fmt.Errorf("read by filter: %w", err)
	}
	if err := r.readLineage(ctx, store); err != nil {
		return fmt.Errorf("read the lineage: %w", err)
	}
	fmt.Printf("%s: execution %d made model %d from dataset %d\n",
		r.experiment.GetName(), r.train.GetId(), r.model.GetId(), r.dataset.GetId())
	return nil
}

// A trainingRun is a dataset, the training that used it, the model that came out, and the experiment that all of them belong to.
type trainingRun struct {
	dataset, model *mlmd.Artifact
	train          *mlmd.Execution
	experiment     *mlmd.Context
}

// newRun registers the types, which changes nothing when they are there already, and describes a run of them.
func newRun(ctx context.Context, store mlmd.MetadataStoreServiceClient, name string) (*trainingRun, error) {
	types, err := store.PutTypes(ctx, &mlmd.PutTypesRequest{
		ArtifactTypes: []*mlmd.ArtifactType{
			{Name: proto.String("Dataset"), Properties: map[string]mlmd.PropertyType{
				"rows":    mlmd.PropertyType_INT,
				"labeled": mlmd.PropertyType_BOOLEAN,
			}},
			{Name: proto.String("Model"), Properties: map[string]mlmd.PropertyType{
				"accuracy": mlmd.PropertyType_DOUBLE,
			}},
		},
		ExecutionTypes: []*mlmd.ExecutionType{
			{Name: proto.String("Train"), Properties: map[string]mlmd.PropertyType{
				"hyperparameters": mlmd.PropertyType_STRUCT,
			}},
		},
		ContextTypes: []*mlmd.ContextType{
			{Name: proto.String("Experiment"), Properties: map[string]mlmd.PropertyType{
				"owner": mlmd.PropertyType_STRING,
			}},
		},
	})
	if err != nil {
		return nil, err
	}
	hyperparameters, err := structpb.NewStruct(map[string]any{
		"optimizer": "adam",
		"layers":    []any{64, 10},
	})
	if err != nil {
		return nil, err
	}
	return &trainingRun{
		dataset: &mlmd.Artifact{
			TypeId: proto.Int64(types.ArtifactTypeIds[0]),
			Name:   proto.String(name + "/images"),
			Uri:    proto.String("s3://data/images"),
			State:  mlmd.Artifact_LIVE.Enum(),
			Properties: map[string]*mlmd.Value{
				"rows":    {Value: &mlmd.Value_IntValue{IntValue: 60_000}},
				"labeled": {Value: &mlmd.Value_BoolValue{BoolValue: true}},
			},
		},
		model: &mlmd.Artifact{
			TypeId: proto.Int64(types.ArtifactTypeIds[1]),
			Name:   proto.String(name + "/model"),
			Uri:    proto.String("s3://models/" + name),
			State:  mlmd.Artifact_LIVE.Enum(),
			Properties: map[string]*mlmd.Value{
				"accuracy": {Value: &mlmd.Value_DoubleValue{DoubleValue: 0.9375}},
			},
			CustomProperties: map[string]*mlmd.Value{
				"format": {Value: &mlmd.Value_StringValue{StringValue: "onnx"}},
			},
		},
		train: &mlmd.Execution{
			TypeId:         proto.Int64(types.ExecutionTypeIds[0]),
			Name:           proto.String(name),
			LastKnownState: mlmd.Execution_COMPLETE.Enum(),
			Properties: map[string]*mlmd.Value{
				"hyperparameters": {Value: &mlmd.Value_StructValue{StructValue: hyperparameters}},
			},
			CustomProperties: map[string]*mlmd.Value{
				"commit": {Value: &mlmd.Value_StringValue{StringValue: "9fceb02"}},
			},
		},
		experiment: &mlmd.Context{
			TypeId: proto.Int64(types.ContextTypeIds[0]),
			Name:   proto.String(name),
			Properties: map[string]*mlmd.Value{
				"owner": {Value: &mlmd.Value_StringValue{StringValue: "vision"}},
			},
		},
	}, nil
}

// write puts the whole run at once: the nodes, the events between them, and their places in the experiment.
func (r *trainingRun) write(ctx context.Context, store mlmd.MetadataStoreServiceClient) error {
	written, err := store.PutExecution(ctx, &mlmd.PutExecutionRequest{
		Execution: r.train,
		ArtifactEventPairs: []*mlmd.PutExecutionRequest_ArtifactAndEvent{
			{Artifact: r.dataset, Event: event(mlmd.Event_INPUT, "images")},
			{Artifact: r.model, Event: event(mlmd.Event_OUTPUT, "model")},
		},
		Contexts: []*mlmd.Context{r.experiment},
		Options:  &mlmd.PutExecutionRequest_Options{ReuseContextIfAlreadyExist: proto.Bool(true)},
	})
	if err != nil {
		return err
	}
	r.train.Id = written.ExecutionId
	r.dataset.Id, r.model.Id = proto.Int64(written.ArtifactIds[0]), proto.Int64(written.ArtifactIds[1])
	r.experiment.Id = proto.Int64(written.ContextIds[0])
	return nil
}

func event(kind mlmd.Event_Type, key string) *mlmd.Event {
	step := &mlmd.Event_Path_Step{Value: &mlmd.Event_Path_Step_Key{Key: key}}
	return &mlmd.Event{
		Type: kind.Enum(),
		Path: &mlmd.Event_Path{Steps: []*mlmd.Event_Path_Step{step}},
	}
}

func (r *trainingRun) readByID(ctx context.Context, store mlmd.MetadataStoreServiceClient) error {
	artifacts, err := store.GetArtifactsByID(ctx, &mlmd.GetArtifactsByIDRequest{
		ArtifactIds: []int64{r.dataset.GetId(), r.model.GetId()},
	})
	if err != nil {
		return err
	}
	executions, err := store.GetExecutionsByID(ctx, &mlmd.GetExecutionsByIDRequest{
		ExecutionIds: []int64{r.train.GetId()},
	})
	if err != nil {
		return err
	}
	contexts, err := store.GetContextsByID(ctx, &mlmd.GetContextsByIDRequest{
		ContextIds: []int64{r.experiment.GetId()},
	})
	if err != nil {
		return err
	}
	if len(artifacts.Artifacts) != 2 || len(executions.Executions) != 1 || len(contexts.Contexts) != 1 {
		return fmt.Errorf("expected two artifacts, an execution and a context: %v, %v, %v", artifacts, executions, contexts)
	}
	return errors.Join(
		checkNode(artifacts.Artifacts[0], r.dataset),
		checkNode(artifacts.Artifacts[1], r.model),
		checkNode(executions.Executions[0], r.train),
		checkNode(contexts.Contexts[0], r.experiment),
	)
}

func (r *trainingRun) readByFilter(ctx context.Context, store mlmd.MetadataStoreServiceClient) error {
	query := fmt.Sprintf("type = 'Model' AND properties.accuracy.double_value > 0.9 AND contexts_a.name = '%s'", r.experiment.GetName())
	found, err := store.GetArtifacts(ctx, &mlmd.GetArtifactsRequest{
		Options: &mlmd.ListOperationOptions{FilterQuery: &query},
	})
	if err != nil {
		return err
	}
	if len(found.Artifacts) != 1 {
		return fmt.Errorf("expected one model: %v", found)
	}
	return checkNode(found.Artifacts[0], r.model)
}

// readLineage asks where the model came from.
func (r *trainingRun) readLineage(ctx context.Context, store mlmd.MetadataStoreServiceClient) error {
	query := fmt.Sprintf("id = %d", r.model.GetId())
	found, err := store.GetLineageSubgraph(ctx, &mlmd.GetLineageSubgraphRequest{
		LineageSubgraphQueryOptions: &mlmd.LineageSubgraphQueryOptions{
			StartingNodes: &mlmd.LineageSubgraphQueryOptions_StartingArtifacts{
				StartingArtifacts: &mlmd.LineageSubgraphQueryOptions_StartingNodes{FilterQuery: &query},
			},
			Direction: mlmd.LineageSubgraphQueryOptions_UPSTREAM.Enum(),
		},
	})
	if err != nil {
		return err
	}
	graph := found.LineageSubgraph
	return errors.Join(
		checkIDs("artifacts", graph.Artifacts, r.dataset.GetId(), r.model.GetId()),
		checkIDs("executions", graph.Executions, r.train.GetId()),
		checkIDs("contexts", graph.Contexts, r.experiment.GetId()),
		checkCount("events", len(graph.Events), 2),
		checkCount("attributions", len(graph.Attributions), 2),
		checkCount("associations", len(graph.Associations), 1),
	)
}
