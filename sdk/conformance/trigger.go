package conformance

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// What a vector has unless it says otherwise.
const (
	defaultTenant  = "greenbank"
	defaultPayment = "00000000-0000-4000-8000-000000000001"
	defaultRetries = 2
	defaultAfter   = 100 * time.Millisecond
)

var defaultTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// settings hold for the rest of a file.
type settings struct {
	config []byte
	tenant string
}

func (s *settings) parse(lines []directive) error {
	var config body
	for _, d := range lines {
		switch d.word {
		case "config":
			config.add(d.rest)
		case "tenant":
			s.tenant = d.rest
		case "job", "request", "frame", "frame-key", "answer":
			return d.errorf("a block that begins with %s needs a line of four dashes", d.word)
		default:
			return d.errorf("%q is no setting: config and tenant are", d.word)
		}
	}
	if config.set {
		s.config = config.bytes
		return checkJSON(lines[0], s.config)
	}
	return nil
}

// parseTrigger reads the block that begins a vector.
func (s *settings) parseTrigger(lines []directive) (*sdkv1.StepRequest, error) {
	request := &sdkv1.StepRequest{
		Config:  s.config,
		Trigger: &sdkv1.Trigger{TimeMs: defaultTime.UnixMilli(), Tenant: s.tenant},
		Seed:    bytes.Repeat([]byte{1}, abi.SeedBytes),
	}
	if request.Trigger.Tenant == "" {
		request.Trigger.Tenant = defaultTenant
	}
	var parse func(directive) (bool, error)
	var finish func()
	first := lines[0]
	switch first.word {
	case "job":
		job := &sdkv1.Job{Type: first.rest, Payment: defaultPayment, Attempt: 1, Retries: defaultRetries}
		request.Trigger.Kind = &sdkv1.Trigger_Job{Job: job}
		parse = func(d directive) (bool, error) { return parseJobLine(job, d) }
		finish = func() { job.PaymentStartedMs = request.Trigger.TimeMs }
	case "request":
		http, err := parseRequestLine(first)
		if err != nil {
			return nil, err
		}
		request.Trigger.Kind = &sdkv1.Trigger_Http{Http: http}
		var content body
		parse = func(d directive) (bool, error) {
			if ok, err := content.parse(d); ok || err != nil {
				return ok, err
			}
			return parseHTTPLine(http, d)
		}
		finish = func() { http.Body = content.bytes }
	case "frame", "frame-key":
		trigger, set, err := parseFrame(first)
		if err != nil {
			return nil, err
		}
		request.Trigger.Kind = trigger.Kind
		var content body
		parse = content.parse
		finish = func() { set(content.bytes) }
	default:
		return nil, first.errorf("a vector begins with job, request, frame or frame-key, not with %q", first.word)
	}
	var config body
	for _, d := range lines[1:] {
		if ok, err := parse(d); err != nil {
			return nil, err
		} else if ok {
			continue
		}
		switch d.word {
		case "config":
			config.add(d.rest)
		case "time":
			t, err := time.Parse(time.RFC3339, d.rest)
			if err != nil {
				return nil, d.errorf("%q is not a time as in RFC 3339", d.rest)
			}
			request.Trigger.TimeMs = t.UnixMilli()
		case "seed":
			seed, err := hex.DecodeString(d.rest)
			if err != nil || len(seed) != abi.SeedBytes {
				return nil, d.errorf("a seed is %d bytes in hex", abi.SeedBytes)
			}
			request.Seed = seed
		default:
			return nil, d.errorf("%q is no line of a %s", d.word, first.word)
		}
	}
	if config.set {
		request.Config = config.bytes
		if err := checkJSON(first, request.Config); err != nil {
			return nil, err
		}
	}
	finish()
	return request, nil
}

func parseJobLine(job *sdkv1.Job, d directive) (bool, error) {
	switch d.word {
	case "var":
		v, err := parseVariable(d)
		if err != nil {
			return false, err
		}
		job.Variables = append(job.Variables, v)
	case "header":
		h, err := parseHeader(d)
		if err != nil {
			return false, err
		}
		job.Headers = append(job.Headers, h)
	case "payment":
		job.Payment = d.rest
	case "element":
		job.Element = d.rest
	case "flow":
		job.Flow = d.rest
	case "attempt", "retries":
		n, err := strconv.ParseUint(d.rest, 10, 32)
		if err != nil {
			return false, d.errorf("%q is not a number", d.rest)
		}
		if d.word == "attempt" {
			job.Attempt = uint32(n)
		} else {
			job.Retries = uint32(n)
		}
	case "prior":
		key, id, ok := strings.Cut(d.rest, " ")
		if !ok {
			return false, d.errorf("prior wants a key and a UUID")
		}
		job.Prior = append(job.Prior, &sdkv1.PriorEffect{Key: key, IdempotencyKey: id})
	default:
		return false, nil
	}
	return true, nil
}

func parseRequestLine(d directive) (*sdkv1.HttpRequest, error) {
	words := strings.Fields(d.rest)
	if len(words) != 3 {
		return nil, d.errorf("request wants a route, a method and a path")
	}
	u, err := url.ParseRequestURI(words[2])
	if err != nil {
		return nil, d.errorf("%q is not a path", words[2])
	}
	request := &sdkv1.HttpRequest{Route: words[0], Method: words[1], Path: u.Path}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		k, errKey := url.QueryUnescape(key)
		v, errValue := url.QueryUnescape(value)
		if errKey != nil || errValue != nil {
			return nil, d.errorf("the query part %q is not escaped properly", pair)
		}
		request.Query = append(request.Query, &sdkv1.Header{Key: k, Value: v})
	}
	return request, nil
}

func parseHTTPLine(http *sdkv1.HttpRequest, d directive) (bool, error) {
	switch d.word {
	case "header", "param":
		h, err := parseHeader(d)
		if err != nil {
			return false, err
		}
		if d.word == "param" {
			http.PathParams = append(http.PathParams, h)
			return true, nil
		}
		h.Key = strings.ToLower(h.Key)
		http.Headers = append(http.Headers, h)
		return true, nil
	}
	return false, nil
}

func parseVariable(d directive) (*sdkv1.Variable, error) {
	name, text, _ := strings.Cut(d.rest, " ")
	if err := checkJSON(d, []byte(text)); err != nil {
		return nil, err
	}
	return &sdkv1.Variable{Name: name, Json: []byte(text)}, nil
}

func parseHeader(d directive) (*sdkv1.Header, error) {
	name, value, ok := strings.Cut(d.rest, ":")
	if !ok {
		return nil, d.errorf("%s wants NAME: VALUE", d.word)
	}
	return &sdkv1.Header{Key: name, Value: strings.TrimPrefix(value, " ")}, nil
}

func checkJSON(d directive, text []byte) error {
	if !json.Valid(text) {
		return d.errorf("%q is not JSON; a text stands in double quotes", text)
	}
	return nil
}

// body gathers the lines of a text, or its hex.
type body struct {
	bytes []byte
	set   bool
}

func (b *body) add(line string) {
	if b.set {
		b.bytes = append(b.bytes, '\n')
	}
	b.bytes = append(b.bytes, line...)
	b.set = true
}

func (b *body) parse(d directive) (bool, error) {
	switch d.word {
	case "body":
		b.add(d.rest)
		return true, nil
	case "body-hex":
		raw, err := hex.DecodeString(d.rest)
		if err != nil {
			return false, d.errorf("%q is not hex", d.rest)
		}
		b.bytes, b.set = append(b.bytes, raw...), true
		return true, nil
	}
	return false, nil
}
