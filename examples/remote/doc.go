// Package remote is a bank's own service in Java, which the connector ams/remote
// speaks to; README.md says how it is run and what to copy of it. The Go here are
// its tests: the compiled connector against the running service, over HTTP.
package remote
