// Package lineage has the messages and the client of Pedigree's lineage service, generated from
// proto/.
package lineage

//go:generate env GOBIN=$PWD/../bin go install tool
//go:generate python -m grpc_tools.protoc @protoc.args
