package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"pedigree/example/stubs/lineage"
	"pedigree/example/stubs/mlmd"
)

// A node is an artifact or an execution, with what it comes from.
type node struct {
	hop     int64
	text    string
	sources []*node
	drawn   bool
}

// provenance asks where an artifact came from.
func provenance(ctx context.Context, service lineage.LineageServiceClient, artifact int64, suffix string) (*node, error) {
	stream, err := service.Trace(ctx, &lineage.TraceRequest{
		Direction:   lineage.TraceRequest_PROVENANCE,
		ArtifactIds: []int64{artifact},
	})
	if err != nil {
		return nil, err
	}
	artifacts, executions := map[int64]*node{}, map[int64]*node{}
	for {
		found, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return artifacts[artifact], nil
		} else if err != nil {
			return nil, err
		}
		for _, a := range found.Artifacts {
			artifacts[a.GetId()] = &node{hop: found.Hop, text: a.GetType() + " " + strings.TrimSuffix(a.GetName(), suffix)}
		}
		for _, e := range found.Executions {
			executions[e.GetId()] = &node{hop: found.Hop, text: e.GetType() + " " + strings.TrimSuffix(e.GetName(), suffix)}
		}
		for _, event := range found.Events {
			source, target := artifacts[event.GetArtifactId()], executions[event.GetExecutionId()]
			if event.GetType() == mlmd.Event_OUTPUT {
				source, target = target, source
			}
			target.sources = append(target.sources, source)
		}
	}
}

// draw prints each node below what was made with it, or what it made.
func (n *node) draw(indent string) {
	if n.drawn {
		fmt.Printf("%s%s (hop %d), as above\n", indent, n.text, n.hop)
		return
	}
	n.drawn = true
	fmt.Printf("%s%s (hop %d)\n", indent, n.text, n.hop)
	slices.SortFunc(n.sources, func(a, b *node) int { return cmp.Or(cmp.Compare(a.hop, b.hop), cmp.Compare(a.text, b.text)) })
	for _, source := range n.sources {
		source.draw(indent + "  ")
	}
}
