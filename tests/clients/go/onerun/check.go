package main

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What the server adds to each artifact, execution and context.
var outputOnly = []protoreflect.Name{"type", "create_time_since_epoch", "last_update_time_since_epoch"}

// checkNode compares a node that was read with the one written.
func checkNode(read, written proto.Message) error {
	rest := proto.Clone(read).ProtoReflect()
	for _, name := range outputOnly {
		field := rest.Descriptor().Fields().ByName(name)
		if !rest.Has(field) {
			return fmt.Errorf("read %v, expected it to have %s", read, name)
		}
		rest.Clear(field)
	}
	if !proto.Equal(rest.Interface(), written) {
		return fmt.Errorf("read %v, expected %v", read, written)
	}
	return nil
}

// checkIDs compares the nodes of a graph, which have only their ids, with those expected, in any order.
func checkIDs[N interface{ GetId() int64 }](what string, read []N, expected ...int64) error {
	var ids []int64
	for _, node := range read {
		ids = append(ids, node.GetId())
	}
	slices.Sort(ids)
	slices.Sort(expected)
	if !slices.Equal(ids, expected) {
		return fmt.Errorf("%s %v, expected %v", what, ids, expected)
	}
	return nil
}

func checkCount(what string, count, expected int) error {
	if count != expected {
		return fmt.Errorf("%d %s, expected %d", count, what, expected)
	}
	return nil
}
