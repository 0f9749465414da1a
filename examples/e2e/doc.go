// Package e2e proves with real processes what no room can prove alone: that a
// payment survives what production does to it. Nodes, opsd, bank and scheme are
// processes of bin/railhead; the tests talk to them as customers, operators and
// counterparts do, kill them, and look at every ledger afterwards.
//
// The tests have build tags, since they take minutes and some need more than Go:
// "make test-e2e" runs those with tag e2e, "make test-kafka" those with tag
// kafka (Java and Maven), "make test-postgres" those with tag postgres. Begin
// with hub_test.go, which starts and stops everything; each other file is one
// kind of misfortune. When a test fails, its processes' logs stay in
// .tmp/e2e.
package e2e
