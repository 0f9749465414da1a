package connector

import (
	"hash/fnv"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// clientKeys are the headers by which channels name a request that they may repeat, in
// lower case.
var clientKeys = []string{"idempotency-key", "x-idempotency-key", "x-correlationid", "x-correlation-id"}

// Choose picks the version that takes a request while a canary runs beside the one that
// serves. A request is no payment yet, so it goes by what makes it the same request
// when it is sent again: tenant, method, path and the client's key or, without one,
// the body. A repeated request so meets the same version. Nothing is pinned by it: the
// payment that it starts meets versions by its own key.
func (t *Target) Choose(request *sdkv1.HttpRequest) *Target {
	if t.canaryRoute == nil {
		return t
	}
	h := fnv.New64a()
	add := func(text string) {
		_, _ = h.Write([]byte(text)) // never fails
		_, _ = h.Write([]byte{0})
	}
	add(t.Tenant)
	add(t.Connector)
	add(request.Method)
	add(request.Path)
	if key := clientKey(request); key != "" {
		add(key)
	} else {
		_, _ = h.Write(request.Body)
	}
	// FNV mixes its low bits badly; this is SplitMix64's finish.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	if uint32((x^x>>31)%10_000) >= t.weight {
		return t
	}
	chosen := *t
	chosen.Digest, chosen.Route = t.canary, t.canaryRoute
	request.Route = t.canaryRoute.Name
	return &chosen
}

func clientKey(request *sdkv1.HttpRequest) string {
	for _, name := range clientKeys {
		for _, header := range request.Headers {
			if header.Key == name {
				return header.Value
			}
		}
	}
	return ""
}

// twin is the route of another version that takes the same requests; nil when it has
// none, which the engine refuses of a canary.
func twin(route *sdkv1.Route, of *sdkv1.Manifest) *sdkv1.Route {
	shape := newPattern("", route).shape()
	for _, other := range of.GetRoutes() {
		if newPattern("", other).shape() == shape {
			return other
		}
	}
	return nil
}
