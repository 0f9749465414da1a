// Package caller finds out who calls a connector's route, as the tenant says that it
// is to be found out. Its rules are written in the tenant's configuration, beside the
// connector's endpoints, for all its routes and for single ones:
//
//	"paymenthub": {
//	  "auth": {"kind": "jwt", "jwks": "idp_keys", "issuer": "https://idp.bank.example",
//	           "audience": "railhead"},
//	  "routes": {"callback": {"auth": {"kind": "mtls", "ca": "scheme_ca",
//	                                   "names": ["dns:hub.scheme.example"]}}}
//	}
//
// There is no default. A route about which nothing is said refuses everybody: that a
// gateway stands before the hub, and authenticates, must be said as well, with
// {"kind": "none"}.
//
//	none     Anybody. For a node that only a gateway reaches, and for development.
//	api_key  {"header": "X-API-Key", "keys": [{"secret": "...", "principal": "..."}]}
//	         One of the keys, in the header.
//	basic    {"users": [{"name": "...", "secret": "..."}]}
//	         A name and its password (RFC 7617).
//	hmac     {"keys": [{"secret": "...", "principal": "..."}], "header": "X-Signature",
//	          "prefix": "", "encoding": "hex", "algorithm": "sha256",
//	          "timestamp_header": "X-Timestamp", "tolerance_ms": 300000,
//	          "signed": ["timestamp", "method", "path", "body"], "separator": "\n"}
//	         An HMAC of the parts, with the separator between two, and a time that is not
//	         long past nor to come. The path is as it was sent, with its query. timestamp
//	         is always signed, and body, the last. Many webhooks are {"signed":
//	         ["timestamp", "body"], "separator": "."}.
//	jwt      {"jwks": "...", "issuer": "...", "audience": "...", "algorithms": ["RS256",
//	          "PS256", "ES256", "EdDSA"], "leeway_ms": 60000, "principal_claim": "sub"}
//	         A bearer token (RFC 6750, 7519) signed with one of the keys of a JWKS file,
//	         with that issuer and audience and an end.
//	mtls     {"ca": "...", "names": ["dns:...", "uri:...", "email:...", "ip:...",
//	          "cn:..."], "pins": ["pin-sha256=\"...\""]}
//	         A client certificate of the authority, and of its names or keys if some are
//	         listed. Only where the node itself speaks TLS.
//
// What is shown above with a value has it when it is left out. secret, jwks and ca name
// files as secrets are named, <secrets_dir>/<tenant>/<name> (core/secret). A file may be
// replaced at any time; what it held before is good no longer, so list the old key
// beside the new one for as long as both are to be good.
//
// Who called is told to the connector as the header x-railhead-principal, which nobody
// outside can set; what proved it is not told.
//
// The package does not say what a caller may do. Begin with New.
package caller
