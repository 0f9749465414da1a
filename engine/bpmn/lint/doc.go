// Package lint finds what a flow would do that its author hardly meant: branches that
// hang, gateways without a way out, failed payments that look completed, money that
// nobody gives back.
//
// It looks at one parsed process and at what is Known of the place where it will run.
// It runs nothing, and what it cannot decide it does not report: a rule that needs to
// know the connectors says nothing when they are not known.
//
// Problems have one of three severities. An error is a defect that may cost money,
// and "railhead flow lint" refuses the file for it. A warning is very likely a
// defect. A note is worth a look.
//
// Begin with Flow in flow.go; every rule is listed in rule.go, and testdata/rules.txt
// has small flows for each.
package lint
