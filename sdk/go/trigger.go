package connector

import (
	"strings"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Job is one activation of a flow's task.
type Job struct {
	// Type is as the manifest writes it, "{tenant}" included.
	Type string
	// Payment is the payment's UUID.
	Payment string
	// Attempt counts from 1; Retries is how many may follow.
	Attempt int
	Retries int
	Element string // BPMN id of the task
	Flow    string // BPMN id of the process
	// PaymentStarted is when the payment began.
	PaymentStarted time.Time
	// Prior are money effects that earlier attempts left in doubt.
	Prior []Prior

	variables []*sdkv1.Variable
	headers   []*sdkv1.Header
}

// Prior is a money effect in doubt.
type Prior struct {
	Key            string
	IdempotencyKey string // the UUID that was on the wire
}

func newJob(j *sdkv1.Job) *Job {
	job := &Job{
		Type: j.Type, Payment: j.Payment,
		Attempt: int(j.Attempt), Retries: int(j.Retries),
		Element: j.Element, Flow: j.Flow,
		PaymentStarted: time.UnixMilli(j.PaymentStartedMs).UTC(),
		variables:      j.Variables,
		headers:        j.Headers,
	}
	for _, p := range j.Prior {
		job.Prior = append(job.Prior, Prior{Key: p.GetKey(), IdempotencyKey: p.GetIdempotencyKey()})
	}
	return job
}

// Header is a task header of the flow's element.
func (j *Job) Header(name string) string { return header(j.headers, name) }

// Doubt is the money effect of that key which an earlier attempt left in doubt,
// if there is one.
func (j *Job) Doubt(key string) (Prior, bool) {
	for _, p := range j.Prior {
		if p.Key == key {
			return p, true
		}
	}
	return Prior{}, false
}

// Has reports whether the variable exists and is not null.
func (j *Job) Has(name string) bool {
	json := j.JSON(name)
	return len(json) > 0 && string(json) != "null"
}

// JSON is the variable as it is, or nil.
func (j *Job) JSON(name string) []byte {
	for _, v := range j.variables {
		if v.GetName() == name {
			return v.GetJson()
		}
	}
	return nil
}

// String is a variable's text: of a JSON string what it says, of a number or
// boolean its JSON. A missing or null variable is "".
func (j *Job) String(name string) string { return jsonText(j.JSON(name)) }

// Bool reports whether the variable is true; anything else is false.
func (j *Job) Bool(name string) bool { return string(j.JSON(name)) == "true" }

// Int is an integer variable, written as a number or as a string. It is not ok
// when it is missing, has a fraction or exponent, or does not fit 64 bits.
func (j *Job) Int(name string) (n int64, ok bool) { return jsonInt(j.JSON(name)) }

// Request is an HTTP request from outside on one of the connector's routes.
type Request struct {
	Route  string // the manifest's name of the route
	Method string
	Path   string
	Body   []byte

	params  []*sdkv1.Header
	query   []*sdkv1.Header
	headers []*sdkv1.Header
}

func newRequest(r *sdkv1.HttpRequest) *Request {
	return &Request{
		Route: r.Route, Method: r.Method, Path: r.Path, Body: r.Body,
		params: r.PathParams, query: r.Query, headers: r.Headers,
	}
}

// Param is the path segment that stands at {name} in the route, unescaped.
func (r *Request) Param(name string) string { return header(r.params, name) }

// Query is the first query parameter of that name, unescaped.
func (r *Request) Query(name string) string { return header(r.query, name) }

// Header is the first header of that name, in whatever case.
func (r *Request) Header(name string) string { return header(r.headers, strings.ToLower(name)) }
