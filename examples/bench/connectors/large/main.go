// Command large is a connector of six megabytes, as one becomes that takes much of
// Go's standard library along. It is for measuring admission.
package main

import (
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"io"
	"math/big"
	"regexp"
	"strings"
	"text/template"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{"work": work},
	})
}

func main() {}

// work calls something of each package, so that the linker keeps it.
func work(_ *connector.Context, job *connector.Job) connector.Outcome {
	text := job.String("text")
	page, err := template.New("page").Parse(text)
	if err == nil {
		err = page.Execute(io.Discard, job)
	}
	var document struct{ Text string }
	_, number := new(big.Int).SetString(text, 10)
	_, pattern := regexp.Compile(text)
	_, packed := gzip.NewReader(strings.NewReader(text))
	return connector.Complete(connector.Vars{
		"template": err == nil,
		"xml":      xml.Unmarshal([]byte(text), &document) == nil,
		"json":     json.Unmarshal([]byte(text), &document) == nil,
		"number":   number,
		"pattern":  pattern == nil,
		"packed":   packed == nil,
	})
}
