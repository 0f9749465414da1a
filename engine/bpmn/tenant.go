package bpmn

import (
	"bytes"
	"encoding/xml"
	"path"
	"regexp"
	"strings"
)

// placeholder stands for the tenant in Payment Hub EE's flow files.
const placeholder = "DFSPID"

// ForTenant is the file as it is deployed for a tenant, the way Payment Hub EE's
// operators deploy it: every DFSPID in it becomes the tenant's id. A file whose name
// contains DFSPID is a template as a whole: if its only executable process has an id
// without DFSPID, which the next tenant's deployment would replace, the process is
// named after the file, "-" written "_", and the tenant, so that
// international-payee-DFSPID.bpmn holds international_payee-greenbank.
func ForTenant(file string, text []byte, tenant string) []byte {
	var escaped bytes.Buffer
	if err := xml.EscapeText(&escaped, []byte(tenant)); err != nil {
		return text // EscapeText fails only when its writer does, and a buffer does not
	}
	base, _, template := strings.Cut(path.Base(file), placeholder)
	base = strings.ReplaceAll(strings.TrimRight(base, "-_ "), "-", "_")
	if template && identifier(base) {
		if from, to, ok := onlyProcess(text); ok && !bytes.Contains(text[from:to], []byte(placeholder)) {
			text = bytes.Join([][]byte{text[:from], []byte(base + "-" + placeholder), text[to:]}, nil)
		}
	}
	return bytes.ReplaceAll(text, []byte(placeholder), escaped.Bytes())
}

var idAttribute = regexp.MustCompile(`\sid\s*=\s*(?:"([^"]*)"|'([^']*)')`)

// onlyProcess finds the value of the id attribute of the only executable process; ok
// is false if there is none, or more than one, or the file is not XML in UTF-8, whose
// offsets are those of the text.
func onlyProcess(text []byte) (from, to int, ok bool) {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		start := int(d.InputOffset())
		token, err := d.Token()
		if err != nil {
			return from, to, ok
		}
		element, isElement := token.(xml.StartElement)
		if !isElement || element.Name.Space != nsModel || element.Name.Local != "process" {
			continue
		}
		t := tag{attrs: element.Attr}
		if t.attr("isExecutable") != "true" {
			continue
		}
		end := min(int(d.InputOffset()), len(text))
		at := idAttribute.FindSubmatchIndex(text[start:end])
		if ok || at == nil {
			return 0, 0, false
		}
		group := 2
		if at[2] < 0 {
			group = 4
		}
		from, to, ok = start+at[group], start+at[group+1], true
	}
}
