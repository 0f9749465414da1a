package egress

import (
	"fmt"
	"net/http"
)

// HeaderRules say which headers of one direction a tenant lets through, by name in
// whatever case. What Deny names is not; if Allow names any, no other is.
type HeaderRules struct {
	Allow, Deny []string
}

// rules are HeaderRules read in.
type rules struct {
	allow, deny map[string]bool
}

func (r HeaderRules) read() (rules, error) {
	set := func(names []string) (map[string]bool, error) {
		if len(names) > headersMax {
			return nil, fmt.Errorf("%d headers are named; %d are allowed", len(names), headersMax)
		}
		out := make(map[string]bool, len(names))
		for _, name := range names {
			if !token(name) {
				return nil, fmt.Errorf("%q is no header's name", name)
			}
			out[http.CanonicalHeaderKey(name)] = true
		}
		return out, nil
	}
	allow, err := set(r.Allow)
	if err != nil {
		return rules{}, err
	}
	deny, err := set(r.Deny)
	return rules{allow, deny}, err
}

// let reports whether a header passes; its name is in canonical form.
func (r rules) let(name string) bool {
	return !r.deny[name] && (len(r.allow) == 0 || r.allow[name])
}
