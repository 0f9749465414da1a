// Command faulty is a version of the benchmark's connector that fails every job: it
// reads behind the end of what it was given, as a slip of the pen would have it.
package main

import (
	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	jobs := map[string]func(*connector.Context, *connector.Job) connector.Outcome{}
	for _, jobType := range []string{
		"bench-work", "party-lookup-request-{tenant}", "quote-{tenant}", "payer-local-quote-{tenant}",
		"payer-request-confirm-{tenant}", "block-funds", "send-transfer-request-{tenant}", "book-funds", "release-block",
		"send-success-to-channel", "send-error-to-channel", "send-unknown-to-channel", "notify-operator", "notify-ams-failure",
	} {
		jobs[jobType] = work
	}
	routes := map[string]func(*connector.Context, *connector.Request) connector.Reply{}
	for _, name := range []string{"start", "message", "result"} {
		routes[name] = func(*connector.Context, *connector.Request) connector.Reply { return connector.Reply{Status: 500} }
	}
	connector.Serve(connector.Connector{Jobs: jobs, Routes: routes})
}

func main() {}

func work(_ *connector.Context, job *connector.Job) connector.Outcome {
	var parts []string
	return connector.Complete(connector.Vars{"done": parts[len(job.Payment)]})
}
