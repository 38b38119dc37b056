package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"pedigree/example/stubs/lineage"
	"pedigree/example/stubs/mlmd"
)

type values = map[string]*mlmd.Value

func integer(value int64) *mlmd.Value {
	return &mlmd.Value{Value: &mlmd.Value_IntValue{IntValue: value}}
}
func double(value float64) *mlmd.Value {
	return &mlmd.Value{Value: &mlmd.Value_DoubleValue{DoubleValue: value}}
}

func artifact(typeName, name, key string, properties values) *lineage.ArtifactRef {
	step := &mlmd.Event_Path_Step{Value: &mlmd.Event_Path_Step_Key{Key: key}}
	return &lineage.ArtifactRef{
		Type:       typeName,
		Identity:   &lineage.ArtifactRef_Name{Name: name},
		Path:       &mlmd.Event_Path{Steps: []*mlmd.Event_Path_Step{step}},
		Properties: properties,
	}
}

// toyPipeline gives the events of three runs: a transformation of two datasets, a training and an evaluation.
func toyPipeline(suffix string) []*lineage.RecordRequest {
	pipeline := &lineage.ContextRef{Type: "toy.Pipeline", Name: "toy"}
	pipelineRun := &lineage.ContextRef{Type: "toy.PipelineRun", Name: "toy" + suffix, Parents: []*lineage.ContextRef{pipeline}}
	event := func(name string, run *lineage.RunEvent) *lineage.RecordRequest {
		run.TypePolicy = lineage.TypePolicy_CREATE
		run.Name = name + suffix
		run.Contexts = []*lineage.ContextRef{pipelineRun}
		return &lineage.RecordRequest{
			Id:        fmt.Sprintf("toy%s/%s/%s", suffix, name, run.EventType),
			EventTime: proto.Int64(time.Now().UnixMilli()),
			Change:    &lineage.RecordRequest_Run{Run: run},
		}
	}

	type artifacts = []*lineage.ArtifactRef
	images := artifact("toy.Dataset", "images", "images", values{"rows": integer(60_000)})
	labels := artifact("toy.Dataset", "labels", "labels", values{"rows": integer(60_000)})
	examples := artifact("toy.Examples", "examples"+suffix, "examples", nil)
	model := artifact("toy.Model", "model"+suffix, "model", nil)
	metrics := artifact("toy.Metrics", "metrics"+suffix, "metrics", values{"accuracy": double(0.9375)})
	parameters := values{"epochs": integer(3), "learning_rate": double(0.01)}
	loss := values{"loss": double(0.25)}
	const start, complete = lineage.RunEvent_START, lineage.RunEvent_COMPLETE
	return []*lineage.RecordRequest{
		event("transform", &lineage.RunEvent{EventType: start, Type: "toy.Transform", Inputs: artifacts{images, labels}}),
		event("transform", &lineage.RunEvent{EventType: complete, Type: "toy.Transform", Outputs: artifacts{examples}}),
		event("train", &lineage.RunEvent{EventType: start, Type: "toy.Train", Inputs: artifacts{examples}, Properties: parameters}),
		event("train", &lineage.RunEvent{EventType: complete, Type: "toy.Train", Outputs: artifacts{model}, CustomProperties: loss}),
		event("evaluate", &lineage.RunEvent{EventType: start, Type: "toy.Evaluate", Inputs: artifacts{examples, model}}),
		event("evaluate", &lineage.RunEvent{EventType: complete, Type: "toy.Evaluate", Outputs: artifacts{metrics}}),
	}
}
