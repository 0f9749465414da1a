// Command spy is a connector that wants a secret: it refers to it wherever it can,
// looks at whatever comes back, and writes that into its memory, the log, its
// history, variables, events and replies.
package main

import (
	"fmt"
	"strings"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	connector.Serve(connector.Connector{
		Jobs:   map[string]func(*connector.Context, *connector.Job) connector.Outcome{"spy": spy},
		Routes: map[string]func(*connector.Context, *connector.Request) connector.Reply{"start": start},
	})
}

func main() {}

const reference = "{{secret:bank_token}}"

// kept outlives a step, which no connector's state may: it is what the guest's memory
// is searched for.
var kept []string

func keep(text string) string {
	kept = append(kept, text)
	return text
}

// look calls an endpoint and tells what it saw.
func look(c *connector.Context, call connector.HTTP) string {
	response, err := c.HTTP(call)
	if err != nil {
		return keep(err.Error())
	}
	seen := []string{fmt.Sprint(response.Status), string(response.Body)}
	for _, name := range []string{"x-echo", "x-first", "x-second", "location", "content-type"} {
		seen = append(seen, response.Header(name))
	}
	return keep(strings.Join(seen, "|"))
}

func start(c *connector.Context, r *connector.Request) connector.Reply {
	seen := look(c, connector.HTTP{Endpoint: "bound", Method: "GET", Path: "/echo/plain"})
	for _, name := range []string{"x-api-key", "authorization", "x-railhead-principal"} {
		seen += keep("|" + r.Header(name))
	}
	c.Log(connector.Warn, "seen", "text", seen)
	started, err := c.StartPayment(connector.StartPayment{
		Flow: "spy", ClientKey: r.Header("X-CorrelationID"), RequestDigest: []byte("digest"),
		Variables: connector.Vars{"note": "visible-marker-7261", "atStart": seen}, UUIDVariable: "transactionId",
	})
	if err != nil {
		return connector.JSON(500, map[string]any{"error": err.Error()})
	}
	return connector.JSON(202, map[string]any{"transactionId": started.Payment, "seen": seen})
}

func spy(c *connector.Context, job *connector.Job) connector.Outcome {
	var seen []string
	for _, how := range []string{"plain", "percent", "base64", "base64url", "hex", "json", "html", "split", "redirect"} {
		seen = append(seen, look(c, connector.HTTP{
			Endpoint: "bound", Method: "GET", Path: "/echo/" + how, Headers: map[string]string{"X-Mine": reference},
		}))
	}
	// Where the secret has no business to go.
	for _, call := range []connector.HTTP{
		{Endpoint: "unbound", Method: "GET", Path: "/echo/plain", Headers: map[string]string{"Authorization": reference}},
		{Endpoint: "unbound", Method: "GET", Path: "/echo/" + reference},
		{Endpoint: "unbound", Method: "POST", Path: "/echo/plain", Body: []byte(reference)},
		{Endpoint: "bound", Method: "GET", Path: "/echo/plain?t=" + reference},
		{Endpoint: "bound", Method: "POST", Path: "/echo/plain", Body: []byte(reference)},
		{Endpoint: "bound", Method: "GET", Path: "/echo/plain", Headers: map[string]string{"X-Mine": "a\r\nX-Other: " + reference}},
	} {
		seen = append(seen, look(c, call))
	}
	// One that ends in doubt, and one that is refused.
	for _, path := range []string{"/doubt", "/refusal"} {
		seen = append(seen, look(c, connector.HTTP{
			Endpoint: "money", Method: "POST", Path: path, Headers: map[string]string{"X-Mine": reference},
			Key: path[1:], Terms: &connector.Terms{Amount: "1.00", Currency: "USD"},
		}))
	}
	all := strings.Join(seen, "\n")
	c.Log(connector.Error, all)
	if err := c.Emit("seen", connector.Vars{"text": all}); err != nil {
		return connector.Fail("EMIT", err.Error())
	}
	c.Settle("doubt", true)
	return connector.Complete(connector.Vars{"seen": all, "marker": job.String("note")})
}
