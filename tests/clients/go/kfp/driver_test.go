package kfp

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"pedigree/clients/mlmd"
)

const (
	// How many executions are on a page if the request does not say.
	defaultPage = 20
	// How many iterations the loop has: two pages.
	iterations = defaultPage + 5
	// The largest message in bytes that gRPC receives if nothing is said. That of the loop and a page of its iterations are larger.
	receivedByDefault = 4 << 20
)

// nothingIsThere asks a new store: a node that is missing is OK and empty, a type that is missing is NOT_FOUND.
func nothingIsThere(t *testing.T, store mlmd.MetadataStoreServiceClient) {
	ctx := t.Context()
	pipeline, err := store.GetContextByTypeAndName(ctx, &mlmd.GetContextByTypeAndNameRequest{
		TypeName:    proto.String("system.Pipeline"),
		ContextName: proto.String(pipelineName),
	})
	empty(t, ok(t, pipeline, err))
	execution, err := store.GetExecutionByTypeAndName(ctx, &mlmd.GetExecutionByTypeAndNameRequest{
		TypeName:      proto.String("system.DAGExecution"),
		ExecutionName: proto.String("run/" + runName),
	})
	empty(t, ok(t, execution, err))
	_, err = store.GetContextType(ctx, &mlmd.GetContextTypeRequest{TypeName: proto.String("system.Pipeline")})
	refused(t, codes.NotFound, err)
	_, err = store.GetArtifactType(ctx, &mlmd.GetArtifactTypeRequest{TypeName: proto.String("system.Dataset")})
	refused(t, codes.NotFound, err)
}

// open puts the contexts of the pipeline and of the run, and the one under the other.
func (r *pipelineRun) open(t *testing.T) {
	r.openBelow(t, r.openContext(t, &mlmd.Context{
		Type: proto.String("system.Pipeline"),
		Name: proto.String(pipelineName),
	}))
}

// openBelow puts the context of the run, under that of its pipeline.
func (r *pipelineRun) openBelow(t *testing.T, pipeline *mlmd.Context) {
	ctx := t.Context()
	run := r.openContext(t, &mlmd.Context{
		Type: proto.String("system.PipelineRun"),
		Name: proto.String(r.name),
		CustomProperties: map[string]*mlmd.Value{
			"namespace":          text("kubeflow"),
			"resource_name":      text("run-resource"),
			"pipeline_root":      text("minio://mlpipeline/training/4f1c9a52"),
			"store_session_info": text(`{"Provider":"minio","Params":{"region":"minio"}}`),
		},
	})

	parent := &mlmd.PutParentContextsRequest{ParentContexts: []*mlmd.ParentContext{
		{ChildId: run.Id, ParentId: pipeline.Id},
	}}
	put, err := r.store.PutParentContexts(ctx, parent)
	ok(t, put, err)
	_, err = r.store.PutParentContexts(ctx, parent)
	refused(t, codes.AlreadyExists, err)
	parents, err := r.store.GetParentContextsByContext(ctx, &mlmd.GetParentContextsByContextRequest{ContextId: run.Id})
	equalIDs(t, ids(ok(t, parents, err).Contexts), pipeline.GetId())
	r.contexts = []*mlmd.Context{pipeline, run}
}

// openContext puts a context and its type as two drivers do that meet: the second finds what the first has put.
func (r *pipelineRun) openContext(t *testing.T, wanted *mlmd.Context) *mlmd.Context {
	ctx := t.Context()
	byName := &mlmd.GetContextByTypeAndNameRequest{TypeName: wanted.Type, ContextName: wanted.Name}

	putType := &mlmd.PutContextTypeRequest{ContextType: &mlmd.ContextType{Name: wanted.Type}}
	first, err := r.store.PutContextType(ctx, putType)
	wanted.TypeId = ok(t, first, err).TypeId
	second, err := r.store.PutContextType(ctx, putType)
	equal(t, "the id of the same type", ok(t, second, err).GetTypeId(), wanted.GetTypeId())
	_, err = r.store.PutContextType(ctx, &mlmd.PutContextTypeRequest{ContextType: &mlmd.ContextType{
		Name:       wanted.Type,
		Properties: map[string]mlmd.PropertyType{"namespace": mlmd.PropertyType_STRING},
	}})
	refused(t, codes.AlreadyExists, err)
	stored, err := r.store.GetContextType(ctx, &mlmd.GetContextTypeRequest{TypeName: wanted.Type})
	equal(t, "the id of the stored type", ok(t, stored, err).ContextType.GetId(), wanted.GetTypeId())

	missing, err := r.store.GetContextByTypeAndName(ctx, byName)
	empty(t, ok(t, missing, err))
	put, err := r.store.PutContexts(ctx, &mlmd.PutContextsRequest{Contexts: []*mlmd.Context{wanted}})
	wanted.Id = &ok(t, put, err).ContextIds[0]
	again := proto.CloneOf(wanted)
	again.Id = nil
	_, err = r.store.PutContexts(ctx, &mlmd.PutContextsRequest{Contexts: []*mlmd.Context{again}})
	refused(t, codes.AlreadyExists, err)

	found, err := r.store.GetContextByTypeAndName(ctx, byName)
	read := ok(t, found, err).Context
	wanted.CreateTimeSinceEpoch = read.CreateTimeSinceEpoch
	wanted.LastUpdateTimeSinceEpoch = read.LastUpdateTimeSinceEpoch
	equalMessages(t, read, wanted)
	byID, err := r.store.GetContextsByID(ctx, &mlmd.GetContextsByIDRequest{ContextIds: []int64{read.GetId()}})
	equalMessages(t, ok(t, byID, err).Contexts[0], read)
	return read
}

// openRoot puts the execution that stands for the whole run into the contexts, which are given as they were read.
func (r *pipelineRun) openRoot(t *testing.T) {
	r.root = r.putExecution(t, r.rootExecution(t))
	contexts, err := r.store.GetContextsByExecution(t.Context(), &mlmd.GetContextsByExecutionRequest{ExecutionId: &r.root})
	equalIDs(t, ids(ok(t, contexts, err).Contexts), ids(r.contexts)...)
	r.contextsAreAsTheyWere(t)
}

func (r *pipelineRun) rootExecution(t *testing.T) *mlmd.Execution {
	return &mlmd.Execution{
		TypeId:         r.executionType(t, "system.DAGExecution"),
		Name:           proto.String("run/" + r.name),
		LastKnownState: mlmd.Execution_RUNNING.Enum(),
		CustomProperties: map[string]*mlmd.Value{
			"display_name": text("training"),
			"task_name":    text(""),
			"inputs":       structure(t, map[string]any{"epochs": 3, "images": datasetURI}),
		},
	}
}

// executionType puts a type without properties, as is done for every execution. The id stays the same.
func (r *pipelineRun) executionType(t *testing.T, name string) *int64 {
	request := &mlmd.PutExecutionTypeRequest{ExecutionType: &mlmd.ExecutionType{Name: &name}}
	first, err := r.store.PutExecutionType(t.Context(), request)
	id := ok(t, first, err).TypeId
	second, err := r.store.PutExecutionType(t.Context(), request)
	equal(t, "the id of the same type", ok(t, second, err).GetTypeId(), *id)
	return id
}

// putExecution puts an execution with its events into the contexts, without options, and returns its id.
func (r *pipelineRun) putExecution(t *testing.T, execution *mlmd.Execution, pairs ...*mlmd.PutExecutionRequest_ArtifactAndEvent) int64 {
	put, err := r.store.PutExecution(t.Context(), &mlmd.PutExecutionRequest{
		Execution:          execution,
		ArtifactEventPairs: pairs,
		Contexts:           r.contexts,
	})
	if execution.Id == nil {
		r.executions++
	}
	return ok(t, put, err).GetExecutionId()
}

// contextsAreAsTheyWere checks that nothing has changed about the contexts, their times included.
func (r *pipelineRun) contextsAreAsTheyWere(t *testing.T) {
	read, err := r.store.GetContextsByID(t.Context(), &mlmd.GetContextsByIDRequest{ContextIds: ids(r.contexts)})
	for i, read := range ok(t, read, err).Contexts {
		equalMessages(t, read, r.contexts[i])
	}
}

// openRootAgain is the retry of a driver whose first attempt has come through: the name of the execution tells.
func (r *pipelineRun) openRootAgain(t *testing.T) {
	execution := r.rootExecution(t)
	_, err := r.store.PutExecution(t.Context(), &mlmd.PutExecutionRequest{Execution: execution, Contexts: r.contexts})
	refused(t, codes.AlreadyExists, err)
	found, err := r.store.GetExecutionByTypeAndName(t.Context(), &mlmd.GetExecutionByTypeAndNameRequest{
		TypeName:      proto.String("system.DAGExecution"),
		ExecutionName: execution.Name,
	})
	equal(t, "the id of the execution", ok(t, found, err).Execution.GetId(), r.root)
}

// openLoop puts the execution that stands for a loop, and then those of its iterations all at the same time.
func (r *pipelineRun) openLoop(t *testing.T) {
	loop := r.rootExecution(t)
	loop.Name = proto.String("run/" + r.name + "/loop")
	loop.CustomProperties["parent_dag_id"] = integer(r.root)
	loop.CustomProperties["iteration_count"] = integer(iterations)
	loop.CustomProperties["inputs"] = structure(t, map[string]any{"shards": strings.Repeat("x", receivedByDefault)})
	r.loop = r.putExecution(t, loop)

	inputs := structure(t, map[string]any{"shard": strings.Repeat("x", 2*receivedByDefault/defaultPage)})
	container := r.executionType(t, "system.ContainerExecution")
	var group sync.WaitGroup
	errs := make(chan error, iterations)
	for i := range iterations {
		group.Add(1)
		go func() {
			defer group.Done()
			_, err := r.store.PutExecution(t.Context(), &mlmd.PutExecutionRequest{
				Execution: &mlmd.Execution{
					TypeId:         container,
					Name:           proto.String(fmt.Sprintf("run/%s/loop/%d", r.name, i)),
					LastKnownState: mlmd.Execution_RUNNING.Enum(),
					CustomProperties: map[string]*mlmd.Value{
						"parent_dag_id":   integer(r.loop),
						"iteration_index": integer(int64(i)),
						"inputs":          inputs,
					},
				},
				Contexts: r.contexts,
			})
			errs <- err
		}()
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.executions += iterations
	r.contextsAreAsTheyWere(t)
}

// listLoop reads the executions of the loop, then of the whole run, in pages of the size that nobody has asked for.
func (r *pipelineRun) listLoop(t *testing.T) {
	inLoop := r.list(t, fmt.Sprintf("custom_properties.parent_dag_id.int_value = %d", r.loop))
	equal(t, "the number of iterations", len(inLoop), iterations)
	seen := map[int64]bool{}
	for _, execution := range inLoop {
		seen[execution.CustomProperties["iteration_index"].GetIntValue()] = true
		equal(t, "the loop", execution.CustomProperties["parent_dag_id"].GetIntValue(), r.loop)
	}
	equal(t, "the number of different iterations", len(seen), iterations)

	inRoot := r.list(t, fmt.Sprintf("custom_properties.parent_dag_id.int_value = %d", r.root))
	equalIDs(t, ids(inRoot), r.loop)
	equal(t, "the number of executions", len(r.list(t, "")), r.executions)
}

// list reads all executions of the run that a filter selects. Filter and token are set also when they are empty.
func (r *pipelineRun) list(t *testing.T, filter string) []*mlmd.Execution {
	var executions []*mlmd.Execution
	token := ""
	for {
		answer, err := r.store.GetExecutionsByContext(t.Context(), &mlmd.GetExecutionsByContextRequest{
			ContextId: r.contexts[1].Id,
			Options:   &mlmd.ListOperationOptions{FilterQuery: &filter, NextPageToken: &token},
		})
		page := ok(t, answer, err)
		executions = append(executions, page.Executions...)
		token = page.GetNextPageToken()
		if token == "" {
			return executions
		}
		equal(t, "the size of a page", len(page.Executions), defaultPage)
	}
}
