package mojaloophub

import (
	"encoding/json"
	"net/http"
	"strings"
)

// refusal is a synchronous answer: the request is refused now and nothing came of
// it. What is found out later goes to the error callback.
type refusal struct {
	status      int
	code        string
	description string
}

func malformed(code, description string) *refusal {
	return &refusal{http.StatusBadRequest, code, description}
}

func missing(element string) *refusal {
	return malformed("3102", "missing "+element)
}

func unacceptable(version string) *refusal {
	return &refusal{http.StatusNotAcceptable, "3001", "version " + version + " is not supported"}
}

func (n *refusal) write(w http.ResponseWriter) { refuse(w, n.status, n.code, n.description) }

func refuse(w http.ResponseWriter, status int, code, description string) {
	information := errorInformation(code, description)
	if status == http.StatusNotAcceptable {
		type pair map[string]string
		list := []pair{}
		for _, v := range versions {
			major, minor, _ := strings.Cut(v, ".")
			list = append(list, pair{"key": major, "value": minor})
		}
		information["errorInformation"].(map[string]any)["extensionList"] = map[string]any{"extension": list}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body, _ := json.Marshal(information) // maps of strings always marshal
	w.Write(body)
}

// errorInformation is the body of every FSPIOP error, synchronous or called back.
func errorInformation(code, description string) map[string]any {
	if len(description) > 128 {
		description = description[:128]
	}
	return map[string]any{"errorInformation": map[string]any{"errorCode": code, "errorDescription": description}}
}
