package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
			"authorize-{tenant}": authorize,
			"advise-{tenant}":    advise,
		},
		Links: map[string]connector.Link{"network": {Key: key, Frame: frame}},
	})
}

func main() {}

const network = "network"

var decimal = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,2})?$`)

// key is that of an answer. What the network asks has none.
func key(_ *connector.Context, data []byte) string {
	words := strings.Fields(string(data))
	if len(words) == 3 && (words[0] == "AUTH" || words[0] == "ASK" || words[0] == "ADVICE") {
		return words[0] + " " + words[1]
	}
	return ""
}

// frame takes what the network asks, and what happens to the link. Answers that come
// too late end here: whoever waited has enquired since.
func frame(_ *connector.Context, f *connector.Frame) [][]byte {
	switch f.Event {
	case connector.LinkOpened:
		return [][]byte{[]byte("SIGNON")}
	case connector.LinkIdle:
		return [][]byte{[]byte("ECHO")}
	}
	if n, is := strings.CutPrefix(string(f.Data), "PING "); is {
		return [][]byte{[]byte("PONG " + n)}
	}
	return nil
}

// authorize asks once. When it is not known what became of that, it enquires until it
// is known.
func authorize(c *connector.Context, job *connector.Job) connector.Outcome {
	if _, doubt := job.Doubt("authorize"); doubt {
		return enquire(c, job)
	}
	if !decimal.MatchString(job.String("amount")) {
		return connector.Fail("BAD_AMOUNT", "the amount is not a decimal number")
	}
	answer, err := ask(c, "AUTH", job.Payment+" "+job.String("amount"), connector.RoundTrip{
		Key: "authorize", Terms: &connector.Terms{Amount: job.String("amount"), Currency: "USD"},
	})
	if _, silent := errors.AsType[*connector.InDoubt](err); silent {
		return enquire(c, job)
	}
	if err != nil {
		return connector.Fail("NETWORK", err.Error()).Retry(time.Second)
	}
	return settle(c, answer)
}

// enquire finds out what became of an authorization.
func enquire(c *connector.Context, job *connector.Job) connector.Outcome {
	answer, err := ask(c, "ASK", job.Payment, connector.RoundTrip{})
	if err != nil {
		return connector.Fail("NETWORK", err.Error()).Retry(time.Second)
	}
	if answer == "unknown" {
		// It certainly did not happen, so the next attempt may ask for it.
		c.Settle("authorize", false)
		return connector.Fail("NOT_SEEN", "the network has not seen the authorization").Retry(time.Second)
	}
	return settle(c, answer)
}

func settle(c *connector.Context, answer string) connector.Outcome {
	c.Settle("authorize", answer == "approved")
	if answer != "approved" {
		return connector.BpmnError("DECLINED", "the network declines")
	}
	return connector.Complete(connector.Vars{"authorized": true})
}

// ask makes a round trip and returns the answer's last word.
func ask(c *connector.Context, verb, text string, call connector.RoundTrip) (string, error) {
	stan, err := c.Sequence("stan")
	if err != nil {
		return "", err
	}
	call.Link, call.MatchKey = network, verb+" "+strconv.FormatUint(stan, 10)
	call.Data = []byte(call.MatchKey + " " + text)
	data, err := c.RoundTrip(call)
	if err != nil {
		return "", err
	}
	words := strings.Fields(string(data))
	return words[len(words)-1], nil
}

// advise hands an advice over, which arrives however long that takes.
func advise(c *connector.Context, job *connector.Job) connector.Outcome {
	err := c.Forward(connector.Forward{
		Link: network, Key: "ADVICE " + job.Payment,
		Data: []byte("ADVICE " + job.Payment + " " + job.String("amount")),
	})
	if err != nil {
		return connector.Fail("QUEUE", err.Error()).Retry(time.Second)
	}
	return connector.Complete(connector.Vars{"advised": true})
}
