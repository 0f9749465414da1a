package leader

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/railhead-hub/railhead/core/replica"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// A connector whose requests depend on a time of its own, or on the order of a map, is
// found out; the text names both requests and what differs, and shows no content.
func TestAMismatchNamesBothRequests(t *testing.T) {
	bank := newLedger(t)
	for name, row := range map[string]struct {
		body func(run int32) string
		want string
	}{
		"a time": {func(run int32) string { return fmt.Sprintf(`{"name":"Mary","at":%d}`, run) }, "body fields at"},
		"the order of a map": {func(run int32) string {
			return []string{`{"name":"Mary","age":7}`, `{"age":7,"name":"Mary"}`}[run%2]
		}, "the order or spacing of the body's fields"},
		"text": {func(run int32) string { return fmt.Sprintf("Mary at %d", run) }, "differ in body"},
	} {
		for _, endpoint := range []string{"ledger", "enquiry"} { // intended, and repeatable
			t.Run(name+" "+endpoint, func(t *testing.T) {
				var runs atomic.Int32
				c := newCluster(t, bank.URL, "ask", func(g *guest) *sdkv1.Outcome {
					g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
						Endpoint: endpoint, Method: "POST", Path: "/accounts/12345678?pin=0000", Body: []byte(row.body(runs.Add(1)))}}})
					return complete()
				})
				c.elect()
				c.start("a")
				until(t, "a failure", func() bool { return len(c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED)) > 0 })
				failed := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED)[0]
				both := strings.Count(failed.Text, "http "+endpoint+" POST /accounts/…?pin=…")
				if failed.Code != codeMismatch || both != 2 || !strings.Contains(failed.Text, row.want) || !strings.Contains(failed.Text, "ordinal 1") {
					t.Errorf("%s: %s", failed.Code, failed.Text)
				}
				if strings.Contains(failed.Text, "Mary") || strings.Contains(failed.Text, "12345678") || strings.Contains(failed.Text, "0000") {
					t.Errorf("the text shows content: %s", failed.Text)
				}
			})
		}
	}
}

// TestAMismatchAfterATakeover: a request is in the log until it is answered.
func TestAMismatchAfterATakeover(t *testing.T) {
	bank := newLedger(t)
	var term atomic.Int32
	c := newCluster(t, bank.URL, "keyed", func(g *guest) *sdkv1.Outcome {
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
			Endpoint: "ledger", Method: "POST", Path: "/holds", Body: fmt.Appendf(nil, `{"leader":%d}`, term.Load())}}})
		return complete()
	})
	crashed := make(chan struct{})
	var cut atomic.Bool
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) {
		if (cmd.GetFinishJob() != nil || cmd.GetAnswer() != nil) && cut.CompareAndSwap(false, true) {
			close(crashed)
			return false, replica.ErrUnknown
		}
		return true, nil
	})
	c.elect()
	c.start("a")
	<-crashed
	c.resign()
	term.Store(1)
	c.elect()
	until(t, "a failure", func() bool { return len(c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED)) > 0 })
	text := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED)[0].Text
	if strings.Count(text, "http ledger POST /holds") != 2 || !strings.Contains(text, "body fields leader") {
		t.Error(text)
	}
}
