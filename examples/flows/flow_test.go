package flows

import (
	"encoding/xml"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEnds holds the table of ends in README.md to the flow: every end event is in
// it, with its result and code, and nothing else is.
func TestEnds(t *testing.T) {
	text, err := os.ReadFile("payer-fund-transfer-DFSPID.bpmn")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Ends []struct {
			ID         string `xml:"id,attr"`
			Properties []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"extensionElements>properties>property"`
		} `xml:"process>endEvent"`
	}
	if err := xml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(end-[a-z-]+)` \\| ([a-z]+) \\| `([A-Z_]+)`").FindAllStringSubmatch(string(table), -1) {
		said[row[1]] = row[2] + " " + row[3]
	}
	for _, end := range file.Ends {
		var result, code string
		for _, p := range end.Properties {
			switch p.Name {
			case "railhead:result":
				result = p.Value
			case "railhead:code":
				code = p.Value
			}
		}
		if got := result + " " + code; said[end.ID] != got {
			t.Errorf("%s is %q in the flow and %q in the table", end.ID, got, said[end.ID])
		}
		if completed := strings.Contains(code, "COMPLETED") || strings.Contains(code, "BOOKED"); completed != (result == "completed") {
			t.Errorf("%s: %s does not go with %s", end.ID, result, code)
		}
		delete(said, end.ID)
	}
	for id := range said {
		t.Errorf("the table has an end %s that the flow has not", id)
	}
}
