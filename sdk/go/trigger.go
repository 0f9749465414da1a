package connector

import (
	"strings"
	"time"
)

// Job is one activation of a flow's task. It belongs to one step, as the Context
// does: do not keep it. What its methods return may be kept.
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

	encoded   string // the rest of it points into this
	variables []variable
	decoded   bool // the variables are; until then they are places of encoded Variables
}

// variable is where the name and the JSON of a variable lie in the encoded job:
// places and not strings, since in a guest a stored pointer costs a look at the
// garbage collector's state.
type variable struct{ name, nameEnd, json, jsonEnd uint32 }

// decodeVariables is put off until the first variable is asked for.
func (j *Job) decodeVariables() {
	in := j.encoded
	for i := range j.variables {
		v := &j.variables[i]
		at, end := int(v.name), int(v.nameEnd)
		// As every host writes it: both texts, in order, the first a short one.
		if at+2 <= end && in[at] == 1<<3|typeLength && in[at+1] < 0x80 {
			name := at + 2
			nameEnd := name + int(in[at+1])
			if nameEnd+2 <= end && in[nameEnd] == 2<<3|typeLength {
				json, length := nameEnd+2, int(in[nameEnd+1])
				if length >= 0x80 && json < end && in[json] < 0x80 {
					length += int(in[json])<<7 - 0x80
					json++
				}
				if json+length == end {
					*v = variable{uint32(name), uint32(nameEnd), uint32(json), uint32(end)}
					continue
				}
			}
		}
		*v = variable{}
		f := fields{in: in[:end], at: at}
		for f.next() {
			switch f.number {
			case 1:
				f.text()
				v.name, v.nameEnd = uint32(f.start), uint32(f.end)
			case 2:
				f.text()
				v.json, v.jsonEnd = uint32(f.start), uint32(f.end)
			}
		}
	}
	j.decoded = true
}

// Prior is a money effect in doubt.
type Prior struct {
	Key            string
	IdempotencyKey string // the UUID that was on the wire
}

// Numbers of the fields of Job, as sets.
const (
	jobIntegers = 1<<3 | 1<<4 | 1<<10
	jobRepeats  = 1<<jobVariables | 1<<jobHeaders | 1<<jobPrior
)

// decode reads the encoded job.
func (j *Job) decode(r *rooms, message string) {
	l := &r.layout
	j.encoded = message
	variables, _, ok := l.read(message, jobIntegers, jobRepeats, jobVariables, r.variables[:0])
	if !ok {
		j.decodeAny(message)
		return
	}
	j.variables = variables
	j.Type, j.Payment = l.text(message, 1), l.text(message, 2)
	j.Attempt, j.Retries = int(uint32(l[3])), int(uint32(l[4]))
	j.Element, j.Flow = l.text(message, 8), l.text(message, 9)
	j.PaymentStarted = time.UnixMilli(int64(l[10])).UTC()
	if l[jobPrior] == 0 {
		return
	}
	f := fields{in: message}
	for f.next() {
		if f.number == jobPrior {
			key, wire := pair(f.text())
			j.Prior = append(j.Prior, Prior{Key: key, IdempotencyKey: wire})
		}
	}
}

// decodeAny is decode for a job as no host writes it.
func (j *Job) decodeAny(message string) {
	var variables []variable
	started := int64(0)
	f := fields{in: message}
	for f.next() {
		switch f.number {
		case 1:
			j.Type = f.text()
		case 2:
			j.Payment = f.text()
		case 3:
			j.Attempt = int(uint32(f.uint()))
		case 4:
			j.Retries = int(uint32(f.uint()))
		case jobVariables:
			f.text()
			variables = append(variables, variable{name: uint32(f.start), nameEnd: uint32(f.end)})
		case jobHeaders:
			f.text()
		case jobPrior:
			key, wire := pair(f.text())
			j.Prior = append(j.Prior, Prior{Key: key, IdempotencyKey: wire})
		case 8:
			j.Element = f.text()
		case 9:
			j.Flow = f.text()
		case 10:
			started = int64(f.uint())
		}
	}
	j.variables = variables
	j.PaymentStarted = time.UnixMilli(started).UTC()
}

// Fields of Job.
const (
	jobVariables = 5
	jobHeaders   = 6
	jobPrior     = 7
)

// Header is a task header of the flow's element.
func (j *Job) Header(name string) string { return lookup(j.encoded, jobHeaders, name) }

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
	json := j.json(name)
	return json != "" && json != "null"
}

// JSON is the variable as it is, or nil.
func (j *Job) JSON(name string) []byte { return pieces.bytes(j.json(name)) }

func (j *Job) json(name string) string {
	if !j.decoded {
		j.decodeVariables()
	}
	for i := range j.variables {
		v := &j.variables[i]
		if v.nameEnd-v.name == uint32(len(name)) && j.encoded[v.name:v.nameEnd] == name {
			return j.encoded[v.json:v.jsonEnd]
		}
	}
	return ""
}

// String is a variable's text: of a JSON string what it says, of a number or
// boolean its JSON. A missing or null variable is "".
func (j *Job) String(name string) string { return jsonText(j.json(name)) }

// Bool reports whether the variable is true; anything else is false.
func (j *Job) Bool(name string) bool { return j.json(name) == "true" }

// Int is an integer variable, written as a number or as a string. It is not ok
// when it is missing, has a fraction or exponent, or does not fit 64 bits.
func (j *Job) Int(name string) (n int64, ok bool) { return jsonInt(j.json(name)) }

// Request is an HTTP request from outside on one of the connector's routes.
type Request struct {
	Route  string // the manifest's name of the route
	Method string
	Path   string
	Body   []byte

	encoded string // for parameters and headers
}

// Fields of HttpRequest that are looked into on demand.
const (
	requestParams  = 4
	requestQuery   = 5
	requestHeaders = 6
)

func (c *Context) request(message string) *Request {
	r := &Request{encoded: message}
	f := fields{in: message}
	for f.next() {
		switch f.number {
		case 1:
			r.Route = f.text()
		case 2:
			r.Method = f.text()
		case 3:
			r.Path = f.text()
		case requestParams, requestQuery, requestHeaders:
			f.text()
		case 7:
			r.Body = pieces.bytes(f.text())
		}
	}
	return r
}

// Param is the path segment that stands at {name} in the route, unescaped.
func (r *Request) Param(name string) string { return lookup(r.encoded, requestParams, name) }

// Query is the first query parameter of that name, unescaped.
func (r *Request) Query(name string) string { return lookup(r.encoded, requestQuery, name) }

// Header is the first header of that name, in whatever case.
func (r *Request) Header(name string) string {
	return lookup(r.encoded, requestHeaders, strings.ToLower(name))
}
