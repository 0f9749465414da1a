// Program connector is the smallest scheme connector over a TCP link that does what
// one has to: it signs on, tests the line, asks for authorizations and enquires about
// those it has heard nothing of, and hands over advices that must arrive. Its
// counterparty is examples/links/network, and examples/e2e kills the hub between them.
//
// The frames are texts. The first two words tell requests apart and come back in the
// answer, so they are the match key:
//
//	SIGNON                        SIGNED
//	ECHO                          ECHOED
//	AUTH stan payment amount      AUTH stan approved | declined
//	ASK stan payment              ASK stan approved | declined | unknown
//	ADVICE payment amount         ADVICE payment noted
//	PING n (from the network)     PONG n
//
// A tenant binds it so:
//
//	{"connectors": {"example-network": {"links": {"network": {
//	  "connect": "127.0.0.1:5000", "allow": ["127.0.0.1"], "timeout_ms": 5000}}}}}
package main
