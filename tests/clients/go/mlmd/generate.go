// Package mlmd has the messages and the client of the ML Metadata service, generated from proto/.
package mlmd

//go:generate env GOBIN=$PWD/../bin go install tool
//go:generate python -m grpc_tools.protoc @protoc.args
