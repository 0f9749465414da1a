package bpmn

import (
	"bytes"
	"path"
	"strings"
)

// placeholder stands for the tenant in Payment Hub EE's flow files.
const placeholder = "DFSPID"

// ForTenant is the file as it is deployed for a tenant. A file whose name contains
// DFSPID is a template, and every DFSPID in it becomes the tenant's id; other files
// are for everyone and stay as they are.
func ForTenant(file string, xml []byte, tenant string) []byte {
	if !strings.Contains(path.Base(file), placeholder) {
		return xml
	}
	return bytes.ReplaceAll(xml, []byte(placeholder), []byte(tenant))
}
