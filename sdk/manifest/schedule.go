package manifest

import (
	"regexp"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// A repeating interval of ISO 8601, or a cron expression of six fields. The host looks
// at the particulars when the connector is activated.
var cycle = regexp.MustCompile(`^(R\d*/.*P.+|(@(yearly|annually|monthly|weekly|daily|midnight|hourly))|([0-9A-Za-z*?,/#-]+ ){5}[0-9A-Za-z*?,/#-]+)$`)

// schedules checks when the connector wants to be run by itself.
func (c *checker) schedules(list []*sdkv1.Cycle) {
	for _, s := range list {
		c.mustf(ident.MatchString(s.GetName()) && len(s.GetName()) <= 64, "schedule name %q is not lower case of at most 64 characters", s.GetName())
		c.once("schedule", s.GetName())
		c.mustf(cycle.MatchString(s.GetCycle()) && len(s.GetCycle()) <= 200,
			"schedule %s: cycle %q is neither a repeating interval, such as R/PT1H, nor a cron expression of six fields", s.GetName(), s.GetCycle())
	}
}

// heirs checks the digests of modules whose histories this one continues.
func (c *checker) heirs(digests [][]byte) {
	for _, d := range digests {
		c.mustf(len(d) == 32, "accepts_history_of: a digest has 32 bytes, not %d", len(d))
		c.once("accepts_history_of", string(d))
	}
}
