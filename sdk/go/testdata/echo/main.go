// Command echo is the echo of sdk/parity, which says what it must do.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func main() {}

func init() {
	type handlers = map[string]func(*connector.Context, *connector.Job) connector.Outcome
	connector.Serve(connector.Connector{
		Jobs:      handlers{"echo": echo},
		Schedules: handlers{"echo": echo},
		Links:     map[string]connector.Link{"echo": {Key: key, Frame: frame}},
	})
}

func key(_ *connector.Context, data []byte) string { return hex.EncodeToString(data) }

func frame(c *connector.Context, f *connector.Frame) [][]byte {
	n, err := c.Sequence("frames")
	if err != nil {
		return nil
	}
	return [][]byte{fmt.Append(nil, int(f.Event)), f.Data, fmt.Append(nil, n)}
}

// bytes are hex in an ask.
type bytes []byte

func (b *bytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

type ask struct {
	Kind, Endpoint, Method, Path, Key, Flow, Name, ID, Payment, Link, Algorithm, Value, Token string
	Amount, Currency, Debtor, Creditor                                                        string
	ClientKey                                                                                 string `json:"client-key"`
	UUIDVariable                                                                              string `json:"uuid-variable"`
	MatchKey                                                                                  string `json:"match-key"`
	KeyRef                                                                                    string `json:"key-ref"`
	KindOf                                                                                    string `json:"kind-of"`
	Headers                                                                                   [][2]string
	Names                                                                                     []string
	Body, Digest, Data, Signature, Additional                                                 bytes
	Timeout, TTL, Duration, Until                                                             int64
	Variables                                                                                 map[string]json.RawMessage
}

func (a *ask) terms() *connector.Terms {
	if a.Amount == "" {
		return nil
	}
	return &connector.Terms{Amount: a.Amount, Currency: a.Currency, Debtor: a.Debtor, Creditor: a.Creditor}
}

func (a *ask) vars() connector.Vars {
	vars := connector.Vars{}
	for name, value := range a.Variables {
		vars[name] = connector.RawJSON(value)
	}
	return vars
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// one asks for the effect, and says what it is answered.
func one(c *connector.Context, a *ask) ([]string, error) {
	switch a.Kind {
	case "http":
		headers := map[string]string{}
		for _, h := range a.Headers {
			headers[h[0]] = h[1]
		}
		r, err := c.HTTP(connector.HTTP{
			Endpoint: a.Endpoint, Method: a.Method, Path: a.Path, Headers: headers, Body: a.Body, Key: a.Key, Terms: a.terms(), Timeout: ms(a.Timeout),
		})
		if err != nil {
			return nil, err
		}
		return []string{strconv.Itoa(r.Status), r.Header("X-Echo"), hex.EncodeToString(r.Body)}, nil
	case "start-payment":
		s, err := c.StartPayment(connector.StartPayment{
			Flow: a.Flow, ClientKey: a.ClientKey, RequestDigest: a.Digest, Variables: a.vars(), UUIDVariable: a.UUIDVariable,
		})
		return []string{s.Payment, strconv.FormatBool(s.Repeated)}, err
	case "publish":
		return nil, c.Publish(connector.Message{Name: a.Name, Key: a.Key, ID: a.ID, TTL: ms(a.TTL), Variables: a.vars()})
	case "await-result":
		return payment(c.AwaitResult(a.Payment, ms(a.Timeout)))
	case "query":
		return payment(c.Query(connector.Query{Payment: a.Payment, ClientKey: a.ClientKey, Variables: a.Names}))
	case "sleep":
		return nil, c.Sleep(ms(a.Duration))
	case "sequence":
		n, err := c.Sequence(a.Name)
		return []string{strconv.FormatUint(n, 10)}, err
	case "emit":
		return nil, c.Emit(a.Name, a.vars())
	case "checkpoint":
		return nil, c.Checkpoint(a.Data)
	case "round-trip":
		return data(c.RoundTrip(connector.RoundTrip{
			Link: a.Link, Data: a.Data, MatchKey: a.MatchKey, Timeout: ms(a.Timeout), Key: a.Key, Terms: a.terms(),
		}))
	case "send":
		return nil, c.Send(a.Link, a.Data)
	case "forward":
		f := connector.Forward{Link: a.Link, Key: a.Key, Data: a.Data}
		if a.Until != 0 {
			f.Until = time.UnixMilli(a.Until)
		}
		return nil, c.Forward(f)
	case "sign":
		return data(c.Sign(a.KeyRef, a.Algorithm, a.Data))
	case "verify":
		ok, err := c.Verify(a.KeyRef, a.Algorithm, a.Data, a.Signature)
		return []string{strconv.FormatBool(ok)}, err
	case "mac":
		return data(c.MAC(a.KeyRef, a.Algorithm, a.Data))
	case "encrypt":
		return data(c.Encrypt(a.KeyRef, a.Algorithm, a.Data, a.Additional))
	case "tokenize":
		token, err := c.Tokenize(a.KindOf, a.Value)
		return []string{token}, err
	case "detokenize":
		value, err := c.Detokenize(a.Token)
		return []string{value}, err
	}
	panic("an unknown kind of effect: " + a.Kind)
}

func data(b []byte, err error) ([]string, error) { return []string{hex.EncodeToString(b)}, err }

func payment(p connector.Payment, err error) ([]string, error) {
	millis := func(t time.Time) string {
		if t.IsZero() {
			return "0"
		}
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return []string{
		strconv.FormatBool(p.Found), p.Payment, p.State, p.Result, p.Code, millis(p.StartedAt), millis(p.EndedAt), p.Flow, p.ClientKey,
		strconv.FormatBool(p.Pending), string(p.JSON("x")),
	}, err
}

func echo(c *connector.Context, job *connector.Job) connector.Outcome {
	var asks []ask
	if err := job.Decode("ask", &asks); err != nil {
		return connector.Fail("ASK", err.Error())
	}
	if state := c.State(); len(state) > 0 {
		asks = asks[state[0]:]
	}
	doubt, inDoubt := job.Doubt("k")
	if inDoubt {
		c.Settle("k", doubt.IdempotencyKey != "")
	}
	answers := []connector.Vars{}
	for i := range asks {
		text, err := one(c, &asks[i])
		state := "done"
		var failure *connector.Failure
		var unknown *connector.InDoubt
		switch {
		case errors.As(err, &failure):
			state, text = "failed", []string{failure.Code, failure.Text}
		case errors.As(err, &unknown):
			state, text = "doubt", []string{unknown.IdempotencyKey, unknown.Reason}
		}
		if text == nil {
			text = []string{}
		}
		answers = append(answers, connector.Vars{"state": state, "text": text})
	}
	number := "none"
	if n, ok := job.Int("i"); ok {
		number = strconv.FormatInt(n, 10)
	}
	return connector.Complete(connector.Vars{"answers": answers, "job": []string{
		job.Type, job.Payment, strconv.Itoa(job.Attempt), strconv.Itoa(job.Retries), job.Element, job.Flow,
		strconv.FormatInt(job.PaymentStarted.UnixMilli(), 10), job.Header("h"), doubt.IdempotencyKey, job.String("s"), number,
		strconv.FormatInt(c.Now().UnixMilli(), 10), c.UUID(), hex.EncodeToString(c.State()),
	}})
}
