package bank

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOpenAPI holds openapi.yaml, the routes and the codes together. The document is read by
// its indentation, which is all this needs of YAML.
func TestOpenAPI(t *testing.T) {
	paths := regexp.MustCompile(`(?ms)^paths:$(.*?)^components:$`).FindStringSubmatch(string(openAPI))
	if paths == nil {
		t.Fatal("openapi.yaml has no paths")
	}
	heading := regexp.MustCompile(`^  (/\S*):$`)
	verb := regexp.MustCompile(`^    (get|post|put|delete):`)
	var described []string
	path := ""
	for line := range strings.Lines(paths[1]) {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			path = m[1]
		} else if m := verb.FindStringSubmatch(line); m != nil {
			described = append(described, strings.ToUpper(m[1])+" "+path)
		}
	}
	for code := range status {
		if !strings.Contains(string(openAPI), "- "+string(code)+"\n") {
			t.Errorf("code %s is not described", code)
		}
	}
	var served []string
	for _, r := range open(t, Config{Database: t.TempDir() + "/bank.db"}).routes() {
		served = append(served, r.method+" "+r.path)
	}
	for _, r := range served {
		if !slices.Contains(described, r) {
			t.Errorf("%s is served but not described", r)
		}
	}
	for _, r := range described {
		if !slices.Contains(served, r) {
			t.Errorf("%s is described but not served", r)
		}
	}
}
