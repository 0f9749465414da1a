package connector

import (
	"bytes"
	"encoding/json"
	"fmt"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const variableNameMax = 255 // bytes

// CheckVariables takes variables from a connector: each has a name and one JSON
// text. White space goes, so that equal values mostly are equal bytes.
func CheckVariables(vars []*sdkv1.Variable) ([]*enginev1.Variable, error) {
	out := make([]*enginev1.Variable, 0, len(vars))
	for _, v := range vars {
		checked, err := CheckVariable(v.GetName(), v.GetJson())
		if err != nil {
			return nil, err
		}
		out = append(out, checked)
	}
	return out, nil
}

// CheckVariable is CheckVariables for one.
func CheckVariable(name string, text []byte) (*enginev1.Variable, error) {
	if name == "" || len(name) > variableNameMax {
		return nil, fmt.Errorf("a variable's name has 1 to %d bytes, not %d", variableNameMax, len(name))
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("variable %q is not one JSON value", name)
	}
	if bytes.ContainsAny(text, " \t\r\n") {
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			return nil, fmt.Errorf("variable %q is not one JSON value", name)
		}
		text = compact.Bytes()
	}
	return &enginev1.Variable{Name: name, Json: text}, nil
}
