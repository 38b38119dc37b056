package kfp

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"pedigree/clients/mlmd"
)

// ok returns the answer of a call that must succeed.
func ok[T any](t *testing.T, answer T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// refused checks the code of a call that must fail.
func refused(t *testing.T, want codes.Code, err error) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Fatalf("answered %v (%v), expected %v", got, err, want)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, expected %v", what, got, want)
	}
}

func equalMessages(t *testing.T, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Fatalf("read %v, expected %v", got, want)
	}
}

// empty checks that an answer is OK and has nothing in it.
func empty(t *testing.T, answer proto.Message) {
	t.Helper()
	if size := proto.Size(answer); size != 0 {
		t.Fatalf("answered %v, expected nothing", answer)
	}
}

// equalIDs compares ids in any order.
func equalIDs(t *testing.T, got []int64, want ...int64) {
	t.Helper()
	got = slices.Sorted(slices.Values(got))
	if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Fatalf("ids %v, expected %v", got, want)
	}
}

func ids[N interface{ GetId() int64 }](nodes []N) []int64 {
	var ids []int64
	for _, node := range nodes {
		ids = append(ids, node.GetId())
	}
	return ids
}

func text(value string) *mlmd.Value {
	return &mlmd.Value{Value: &mlmd.Value_StringValue{StringValue: value}}
}

func integer(value int64) *mlmd.Value {
	return &mlmd.Value{Value: &mlmd.Value_IntValue{IntValue: value}}
}

func structure(t *testing.T, fields map[string]any) *mlmd.Value {
	t.Helper()
	value, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return &mlmd.Value{Value: &mlmd.Value_StructValue{StructValue: value}}
}
